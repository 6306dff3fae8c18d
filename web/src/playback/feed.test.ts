import { describe, expect, it } from 'vitest';
import type { Ranges } from '../live/edge';
import { rangeEnd } from './feed';

const ranges = (...spans: [number, number][]): Ranges => ({
  length: spans.length,
  start: (index) => (spans[index] as [number, number])[0],
  end: (index) => (spans[index] as [number, number])[1],
});

describe('rangeEnd', () => {
  it('knows what holds a moment', () => {
    const buffered = ranges([10, 20], [30, 50]);
    expect(rangeEnd(buffered, 9.95)).toBe(20);
    expect(rangeEnd(buffered, 15)).toBe(20);
    expect(rangeEnd(buffered, 20)).toBeUndefined();
    expect(rangeEnd(buffered, 49.9)).toBe(50);
    expect(rangeEnd(ranges(), 0)).toBeUndefined();
  });
});
