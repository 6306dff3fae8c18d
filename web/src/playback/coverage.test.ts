import { describe, expect, it } from 'vitest';
import { Coverage } from './coverage';

describe('Coverage', () => {
  it('joins what touches, and replaces what was known before', () => {
    const known = new Coverage();
    known.add(0, 10_000, false);
    known.add(10_000, 20_000, false);
    known.add(20_000, 30_000, true);
    expect(known.at(5000, 0)).toMatchObject({ start: 0, end: 20_000, empty: false });
    expect(known.at(25_000, 0)).toMatchObject({ empty: true });
    known.add(15_000, 25_000, false);
    expect(known.at(22_000, 0)).toMatchObject({ start: 0, end: 25_000 });
    expect(known.at(26_000, 0)).toMatchObject({ start: 25_000, end: 30_000, empty: true });
    expect(known.at(30_000, 0)).toBeUndefined();
  });

  it('reaches over what is known, either way', () => {
    const known = new Coverage();
    known.add(0, 10_000, false);
    known.add(10_000, 20_000, true);
    known.add(40_000, 50_000, false);
    expect(known.reach(5000, 1, 0)).toBe(20_000);
    expect(known.reach(5000, -1, 0)).toBe(0);
    expect(known.reach(30_000, 1, 0)).toBe(30_000);
  });

  it('names the next part to fetch, up to what is known beyond', () => {
    const known = new Coverage();
    expect(known.missing(5000, 1, 20_000, 8000, 0)).toEqual({ start: 5000, end: 13_000 });
    known.add(0, 10_000, false);
    known.add(15_000, 50_000, false);
    expect(known.missing(5000, 1, 20_000, 8000, 0)).toEqual({ start: 10_000, end: 15_000 });
    known.add(10_000, 15_000, true);
    expect(known.missing(5000, 1, 20_000, 8000, 0)).toBeUndefined();
    expect(known.missing(5000, -1, 20_000, 8000, 0)).toEqual({ start: -8000, end: 0 });
  });

  it('asks for the picture of the moment itself when going backwards', () => {
    const known = new Coverage();
    const wish = known.missing(5000, -1, 20_000, 2000, 0);
    expect(wish?.start).toBe(3000);
    expect(wish?.end).toBeGreaterThan(5000);
  });

  it('forgets what is no longer sure', () => {
    const known = new Coverage();
    known.add(0, 10_000, true, 100);
    expect(known.at(5000, 99)).toBeDefined();
    expect(known.at(5000, 100)).toBeUndefined();
    expect(known.reach(0, 1, 100)).toBe(0);
  });
});
