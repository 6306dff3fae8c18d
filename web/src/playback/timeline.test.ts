import { describe, expect, it } from 'vitest';
import {
  clampView,
  covered,
  dateKey,
  dayOf,
  follow,
  HOUR,
  length,
  MINUTE,
  mergeSpans,
  monthGrid,
  msAt,
  panBy,
  parseDateKey,
  SECOND,
  SHORTEST_VIEW,
  spanAfter,
  spanAt,
  spanBefore,
  ticks,
  viewAround,
  xOf,
  zoomAt,
} from './timeline';

const day = { start: 0, end: 24 * HOUR };

describe('places', () => {
  it('xOf and msAt undo each other', () => {
    const view = { start: 5 * HOUR, end: 7 * HOUR };
    for (const ms of [5 * HOUR, 5.5 * HOUR, 7 * HOUR]) {
      expect(msAt(xOf(ms, view, 937), view, 937)).toBeCloseTo(ms, 3);
    }
    expect(xOf(6 * HOUR, view, 1000)).toBe(500);
  });
});

describe('zoom and pan', () => {
  it('keeps the moment under the pointer', () => {
    const anchor = 9 * HOUR;
    let view = day;
    for (let i = 0; i < 6; i += 1) {
      const before = xOf(anchor, view, 1000);
      view = zoomAt(view, 0.7, anchor, day);
      expect(xOf(anchor, view, 1000)).toBeCloseTo(before, 6);
    }
  });

  it('never leaves the limits nor gets too close', () => {
    let view = zoomAt(day, 1e-9, 23 * HOUR, day);
    expect(length(view)).toBe(SHORTEST_VIEW);
    view = zoomAt(view, 1e9, 23 * HOUR, day);
    expect(view).toEqual(day);
    expect(panBy({ start: 0, end: HOUR }, -HOUR, day)).toEqual({ start: 0, end: HOUR });
    expect(panBy({ start: 0, end: HOUR }, 99 * HOUR, day)).toEqual({
      start: 23 * HOUR,
      end: 24 * HOUR,
    });
    expect(clampView({ start: -5, end: 99 * HOUR }, day)).toEqual(day);
  });

  it('turns the page when the head runs out of sight', () => {
    const view = { start: 8 * HOUR, end: 9 * HOUR };
    expect(follow(view, 8.5 * HOUR, day)).toBe(view);
    const turned = follow(view, 8.99 * HOUR, day);
    expect(turned.start).toBeCloseTo(8.89 * HOUR, 0);
    expect(length(turned)).toBe(HOUR);
    expect(follow(view, 2 * HOUR, day).start).toBeCloseTo(1.9 * HOUR, 0);
  });
});

describe('the first look', () => {
  const at = 10 * HOUR;

  it('shows three hours of a long recording', () => {
    const view = viewAround(at, [{ start: 0, end: at }], day);
    expect(view).toEqual({ start: at - 2 * HOUR, end: at + HOUR });
  });

  it('goes close to a short one, but not closer than six minutes', () => {
    const short = viewAround(at, [{ start: at - 20 * MINUTE, end: at }], day);
    expect(short).toEqual({ start: at - 25 * MINUTE, end: at + 12.5 * MINUTE });
    const tiny = viewAround(at, [{ start: at - SECOND, end: at }], day);
    expect(length(tiny)).toBe(6 * MINUTE);
  });

  it('stays in the day', () => {
    expect(viewAround(SECOND, [], day).start).toBe(0);
  });
});

describe('ticks', () => {
  it('chooses round steps with room for labels', () => {
    expect(ticks(day, 1200).step).toBe(2 * HOUR);
    expect(ticks(day, 380).step).toBe(6 * HOUR);
    expect(ticks({ start: 0, end: MINUTE }, 1000).step).toBe(10 * SECOND);
    for (const width of [320, 800, 1600]) {
      for (const size of [MINUTE, 7 * MINUTE, HOUR, 5 * HOUR, 24 * HOUR]) {
        const found = ticks({ start: 1234, end: 1234 + size }, width);
        expect((found.step / size) * width).toBeGreaterThanOrEqual(84);
        expect(found.major.length + found.minor.length).toBeLessThan(width / 5);
      }
    }
  });

  it('puts marks at round times inside the view only', () => {
    const found = ticks({ start: 90 * MINUTE, end: 210 * MINUTE }, 500);
    expect(found.major.every((ms) => ms % found.step === 0)).toBe(true);
    expect(found.major[0]).toBeGreaterThanOrEqual(90 * MINUTE);
    expect(found.minor).not.toContain(2 * HOUR);
  });
});

describe('spans', () => {
  const spans = [
    { start: 0, end: 10_000 },
    { start: 20_000, end: 30_000 },
  ];

  it('merges what touches, drops what is empty', () => {
    expect(
      mergeSpans([
        { start: 5, end: 9 },
        { start: 0, end: 5 },
        { start: 20, end: 20 },
        { start: 3, end: 4 },
        { start: 11, end: 12 },
      ]),
    ).toEqual([
      { start: 0, end: 9 },
      { start: 11, end: 12 },
    ]);
    expect(
      mergeSpans(
        [
          { start: 0, end: 9 },
          { start: 11, end: 12 },
        ],
        2,
      ),
    ).toEqual([{ start: 0, end: 12 }]);
  });

  it('finds where a moment lies and what comes next', () => {
    expect(spanAt(spans, 9999)).toBe(spans[0]);
    expect(spanAt(spans, 10_000)).toBeUndefined();
    expect(spanAfter(spans, 10_000)).toBe(spans[1]);
    expect(spanAfter(spans, 20_000)).toBeUndefined();
    expect(spanBefore(spans, 25_000)).toBe(spans[1]);
    expect(spanBefore(spans, 21_000)).toBe(spans[0]);
    expect(covered(spans)).toBe(20_000);
  });
});

describe('days', () => {
  it('holds its moment and is named by it', () => {
    const now = new Date(2026, 10, 23, 15, 4).getTime();
    const found = dayOf(now);
    expect(new Date(found.start).getHours()).toBe(0);
    expect(found.start).toBeLessThanOrEqual(now);
    expect(found.end).toBeGreaterThan(now);
    expect(dateKey(now)).toBe('2026-11-23');
    expect(parseDateKey('2026-11-23')).toBe(found.start);
    expect(parseDateKey('2026-02-31')).toBeUndefined();
    expect(parseDateKey('yesterday')).toBeUndefined();
  });

  it('lays a month out in whole weeks', () => {
    const weeks = monthGrid(new Date(2026, 10, 23).getTime(), 1);
    expect(weeks).toHaveLength(6);
    expect(new Date(weeks[0]?.[0] ?? 0).getDay()).toBe(1);
    expect(weeks.flat().map(dateKey)).toContain('2026-11-30');
    expect(monthGrid(new Date(2026, 1, 10).getTime(), 0)).toHaveLength(4);
  });
});
