import { describe, expect, it } from 'vitest';
import type { Ranges } from '../live/edge';
import { dropBehind, rangeAfter, rangeEnd, secondsAhead, wantsMore, windowSeconds } from './feed';

const ranges = (...spans: [number, number][]): Ranges => ({
  length: spans.length,
  start: (index) => (spans[index] as [number, number])[0],
  end: (index) => (spans[index] as [number, number])[1],
});

describe('feed', () => {
  const buffered = ranges([10, 20], [30, 50]);

  it('knows what holds a moment and what follows it', () => {
    expect(rangeEnd(buffered, 9.95)).toBe(20);
    expect(rangeEnd(buffered, 15)).toBe(20);
    expect(rangeEnd(buffered, 20)).toBeUndefined();
    expect(rangeAfter(buffered, 20)).toBe(30);
    expect(rangeAfter(buffered, 40)).toBeUndefined();
  });

  it('counts what lies ahead without the holes', () => {
    expect(secondsAhead(buffered, 15)).toBe(25);
    expect(wantsMore(buffered, 15, 1)).toBe(false);
    expect(wantsMore(buffered, 15, 4)).toBe(true);
    expect(wantsMore(buffered, 35, 0.5)).toBe(true);
    expect(wantsMore(ranges(), 0, 1)).toBe(true);
  });

  it('drops in large pieces what is far behind', () => {
    expect(dropBehind(buffered, 45)).toBeUndefined();
    expect(dropBehind(ranges([0, 100]), 90)).toEqual({ from: 0, to: 60 });
    expect(dropBehind(ranges(), 90)).toBeUndefined();
  });

  it('begins with a short window', () => {
    expect(windowSeconds(0)).toBeLessThan(windowSeconds(1));
  });
});
