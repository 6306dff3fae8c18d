import { describe, expect, it } from 'vitest';
import { parseTyped } from './typed';

const day = new Date(2026, 10, 23, 9).getTime();
const now = new Date(2026, 10, 25, 12).getTime();
const at = (...parts: [number, number, number, number, number, number?, number?]) =>
  new Date(...parts).getTime();

describe('parseTyped', () => {
  it('takes a time of the day that is looked at', () => {
    expect(parseTyped('14:05', day, now)).toBe(at(2026, 10, 23, 14, 5));
    expect(parseTyped(' 14:05:30,5 ', day, now)).toBe(at(2026, 10, 23, 14, 5, 30, 500));
    expect(parseTyped('14h05', day, now)).toBe(at(2026, 10, 23, 14, 5));
  });

  it('takes a date before it', () => {
    expect(parseTyped('2026-11-02 9:00', day, now)).toBe(at(2026, 10, 2, 9, 0));
    expect(parseTyped('2/11 9:00', day, now)).toBe(at(2026, 10, 2, 9, 0));
    expect(parseTyped('31/12 23:00', day, now)).toBe(at(2025, 11, 31, 23, 0));
  });

  it('refuses what is none', () => {
    for (const text of [
      '',
      '25:00',
      '12:60',
      '30/02 10:00',
      '2026-13-01 10:00',
      'noon',
      '12:00x',
    ]) {
      expect(parseTyped(text, day, now)).toBeUndefined();
    }
  });
});
