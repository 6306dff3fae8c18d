import { describe, expect, it } from 'vitest';
import { type Line, rangeFor, startingPoint, streamsAt, suits } from './footage';
import { DAY, HOUR, length, MINUTE } from './timeline';

const line = (streams: Record<string, [number, number][]>): Line => ({
  spans: [],
  streams: Object.fromEntries(
    Object.entries(streams).map(([name, spans]) => [
      name,
      spans.map(([start, end]) => ({ start, end, mode: 'continuous' })),
    ]),
  ),
  gaps: [],
  events: [],
  holds: [],
});
const none = new Set<string>();

describe('streamsAt', () => {
  it('tries the first stream that has the moment, then the others', () => {
    const both = line({ main: [[0, 100_000]], sub: [[0, 100_000]] });
    expect(streamsAt(both, 50_000, ['main', 'sub'], none)).toEqual(['main', 'sub']);
    const late = line({ main: [[80_000, 100_000]], sub: [[0, 100_000]] });
    expect(streamsAt(late, 50_000, ['main', 'sub'], none)).toEqual(['sub', 'main']);
    expect(streamsAt(late, 78_500, ['main', 'sub'], none)).toEqual(['main', 'sub']);
  });

  it('leaves out what cannot be played, and knows streams without footage', () => {
    const both = line({ main: [[0, 100_000]], sub: [[0, 100_000]] });
    expect(streamsAt(both, 50_000, ['main', 'sub'], new Set(['main']))).toEqual(['sub']);
    expect(streamsAt(line({}), 50_000, ['main'], none)).toEqual(['main']);
  });
});

describe('what is asked for', () => {
  it('holds the view with room to move, and is asked anew when that is used up', () => {
    const view = { start: 10 * HOUR, end: 12 * HOUR };
    const asked = rangeFor(view, 399 * DAY);
    expect(asked.range).toEqual({ start: 8 * HOUR, end: 14 * HOUR });
    expect(suits(asked, view, 399 * DAY)).toBe(true);
    expect(suits(asked, { start: 11 * HOUR, end: 13 * HOUR }, 399 * DAY)).toBe(true);
    expect(suits(asked, { start: 13 * HOUR, end: 15 * HOUR }, 399 * DAY)).toBe(false);
  });

  it('is neither too rough nor too fine', () => {
    const rough = rangeFor({ start: 0, end: 30 * DAY }, 399 * DAY);
    expect(suits(rough, { start: DAY, end: 2 * DAY }, 399 * DAY)).toBe(false);
    const fine = rangeFor({ start: 10 * MINUTE, end: 20 * MINUTE }, 399 * DAY);
    expect(fine.step).toBe(1000);
    expect(suits(fine, { start: 12 * MINUTE, end: 18 * MINUTE }, 399 * DAY)).toBe(true);
  });

  it('never passes what the server tells at once', () => {
    const asked = rangeFor({ start: 0, end: 390 * DAY }, 399 * DAY);
    expect(length(asked.range)).toBe(399 * DAY);
  });
});

describe('startingPoint', () => {
  it('is near the end while recording goes on, an hour before it else', () => {
    expect(startingPoint({ start: 0, end: DAY }, DAY + 1000)).toBe(DAY - 30_000);
    expect(startingPoint({ start: 0, end: DAY }, 2 * DAY)).toBe(DAY - HOUR);
    expect(startingPoint({ start: DAY - 5, end: DAY }, 2 * DAY)).toBe(DAY - 5);
  });
});
