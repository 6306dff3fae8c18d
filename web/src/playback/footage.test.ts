import { describe, expect, it } from 'vitest';
import { chooseStream, startingPoint } from './footage';

const span = (stream: string, codec: string, start: number, end: number) => ({
  stream,
  codec,
  start,
  end,
});
const can = new Set(['h264']);

describe('chooseStream', () => {
  it('prefers main where it can be played', () => {
    const spans = [span('sub', 'h264', 0, 100), span('main', 'h264', 0, 100)];
    expect(chooseStream(spans, 50, can, 'x')).toBe('main');
  });

  it('falls to the sub stream where main is H.265', () => {
    const spans = [span('main', 'h265', 0, 100), span('sub', 'h264', 0, 100)];
    expect(chooseStream(spans, 50, can, 'main')).toBe('sub');
  });

  it('looks only at what is not over yet, and has a fallback', () => {
    const spans = [span('main', 'h264', 0, 10), span('sub', 'h264', 20, 30)];
    expect(chooseStream(spans, 15, can, 'main')).toBe('sub');
    expect(chooseStream([], 15, can, 'main')).toBe('main');
    expect(chooseStream([span('main', 'h265', 0, 100)], 15, can, 'main')).toBe('main');
  });
});

describe('startingPoint', () => {
  it('is near the end while recording goes on, an hour before it else', () => {
    const day = 86_400_000;
    expect(startingPoint({ start: 0, end: day }, day + 1000)).toBe(day - 30_000);
    expect(startingPoint({ start: 0, end: day }, 2 * day)).toBe(day - 3_600_000);
    expect(startingPoint({ start: day - 5, end: day }, 2 * day)).toBe(day - 5);
  });
});
