import { describe, expect, it } from 'vitest';
import { aheadMs, correct, paceOf, SPEEDS, Strain, windowSeconds } from './follow';

describe('paceOf', () => {
  it('plays freely up to 4, with key pictures alone from 8 on', () => {
    for (const speed of [0.125, 0.25, 0.5, 1, 2, 4]) {
      expect(paceOf(speed, false)).toEqual({ keys: false, free: true });
    }
    for (const speed of [8, 16, 32]) {
      expect(paceOf(speed, false)).toEqual({ keys: true, free: false });
    }
  });

  it('seeks each picture backwards, key pictures alone where that is fast', () => {
    expect(paceOf(-1, false)).toEqual({ keys: false, free: false });
    expect(paceOf(-0.25, false)).toEqual({ keys: false, free: false });
    expect(paceOf(-2, false).keys).toBe(true);
  });

  it('asks less of a decoder that fell behind, but never at 1', () => {
    expect(paceOf(4, true).keys).toBe(true);
    expect(paceOf(1, true).keys).toBe(false);
  });
});

describe('correct', () => {
  it('leaves alone what is near, nudges what is off, seeks what is far', () => {
    expect(correct(5, 1)).toEqual({ kind: 'rate', rate: 1 });
    expect(correct(5000, 1)).toEqual({ kind: 'seek' });
    expect(correct(-5000, 1)).toEqual({ kind: 'seek' });
  });

  it('brings every drift within a picture in two seconds, at every speed', () => {
    for (const speed of SPEEDS.filter((one) => one <= 4)) {
      for (const begin of [-400, -90, 60, 400]) {
        let drift = begin;
        for (let ms = 0; ms < 4000; ms += 40) {
          const what = correct(drift, speed);
          if (what.kind === 'seek') throw new Error(`sought at ${drift}`);
          drift += (what.rate - speed) * 40;
        }
        // What is slow takes its time: a second of it is less on the screen.
        expect(Math.abs(drift)).toBeLessThan(Math.max(40, Math.abs(begin) - 4000 * speed * 0.4));
      }
    }
  });
});

describe('Strain', () => {
  it('is many seeks in a short time', () => {
    const strain = new Strain();
    expect([0, 1000, 2000, 3000].map((at) => strain.noteSeek(at))).toEqual([
      false,
      false,
      false,
      true,
    ]);
    const slow = new Strain();
    expect([0, 5000, 10_000, 15_000].some((at) => slow.noteSeek(at))).toBe(false);
    strain.clear();
    expect(strain.noteSeek(3100)).toBe(false);
  });

  it('is pictures that stay late for long', () => {
    const strain = new Strain();
    expect(strain.noteLate(1100, 4, 0)).toBe(false);
    expect(strain.noteLate(1100, 4, 1000)).toBe(false);
    expect(strain.noteLate(900, 4, 1400)).toBe(false);
    expect(strain.noteLate(1100, 4, 1600)).toBe(false);
    expect(strain.noteLate(1100, 4, 3100)).toBe(true);
  });
});

describe('windows', () => {
  it('begin short, and grow with the speed', () => {
    expect(windowSeconds(0, 1, false)).toBeLessThan(windowSeconds(1, 1, false));
    expect(windowSeconds(1, 32, true)).toBeGreaterThan(windowSeconds(1, 8, true));
    expect(windowSeconds(9, -32, true)).toBeLessThanOrEqual(900);
    expect(aheadMs(4, false)).toBe(4 * aheadMs(1, false));
    expect(aheadMs(-32, true)).toBeLessThanOrEqual(1_200_000);
  });
});
