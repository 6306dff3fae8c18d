import { describe, expect, it } from 'vitest';
import type { Slot } from '../../api/types';
import { modeAt, paint, paintBetween, parseHolidays, tidy, wholeWeek } from './week';

const slot = (day: number, start: number, end: number, mode: Slot['mode'] = 'event'): Slot => ({
  day,
  start_minute: start,
  end_minute: end,
  mode,
});

describe('paint', () => {
  it('cuts what lies under it, to the minute', () => {
    const before = [slot(0, 7, 1433, 'continuous')];
    expect(paint(before, 0, 600, 660, 'event')).toEqual([
      slot(0, 7, 600, 'continuous'),
      slot(0, 600, 660, 'event'),
      slot(0, 660, 1433, 'continuous'),
    ]);
  });

  it('takes away with off, and joins what is the same', () => {
    const day = [slot(3, 0, 1440, 'continuous')];
    const holed = paint(day, 3, 60, 120, 'off');
    expect(holed).toEqual([slot(3, 0, 60, 'continuous'), slot(3, 120, 1440, 'continuous')]);
    expect(paint(holed, 3, 60, 120, 'continuous')).toEqual(day);
  });

  it('leaves other rows, and what it does not touch, whatever is painted', () => {
    let seed = 7;
    const next = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    const modes = ['continuous', 'event', 'off'] as const;
    let slots: Slot[] = [];
    const want = new Map<string, Slot['mode']>();
    for (let turn = 0; turn < 300; turn += 1) {
      const day = next(8);
      const start = next(1439);
      const end = start + 1 + next(1440 - start);
      const mode = modes[next(3)] ?? 'off';
      slots = paint(slots, day, start, end, mode);
      for (let minute = start; minute < end; minute += 1) want.set(`${day}/${minute}`, mode);
    }
    for (let day = 0; day < 8; day += 1) {
      for (let minute = 0; minute < 1440; minute += 1) {
        const expected = want.get(`${day}/${minute}`) ?? 'off';
        if (modeAt(slots, day, minute) !== expected) {
          expect([day, minute, modeAt(slots, day, minute)]).toEqual([day, minute, expected]);
        }
      }
    }
    // What the server asks of slots: in order, within the day, none over another.
    for (const [at, one] of slots.entries()) {
      expect(one.start_minute).toBeLessThan(one.end_minute);
      const after = slots[at + 1];
      if (after?.day === one.day) expect(after.start_minute).toBeGreaterThanOrEqual(one.end_minute);
    }
    expect(tidy(slots)).toEqual(slots);
  });

  it('paints the rectangle between two cells, drawn from any corner', () => {
    const there = paintBetween([], { row: 1, column: 4 }, { row: 0, column: 2 }, 'event');
    expect(there).toEqual([slot(0, 60, 150), slot(1, 60, 150)]);
    expect(paintBetween([], { row: 0, column: 2 }, { row: 1, column: 4 }, 'event')).toEqual(there);
  });
});

describe('a new calendar', () => {
  it('records all the time, on holidays too', () => {
    const { slots } = wholeWeek('UTC');
    for (let day = 0; day < 8; day += 1) {
      expect(modeAt(slots, day, 0)).toBe('continuous');
      expect(modeAt(slots, day, 1439)).toBe('continuous');
    }
  });
});

describe('parseHolidays', () => {
  it('sorts, drops doubles, and takes any separator', () => {
    expect(parseHolidays('2027-01-01, 2026-12-25;2026-12-25\n')).toEqual([
      '2026-12-25',
      '2027-01-01',
    ]);
    expect(parseHolidays('  ')).toEqual([]);
  });

  it('refuses what is no date', () => {
    for (const text of ['2026-02-30', '25.12.2026', '2026-12', 'xmas', '2026-13-01']) {
      expect(parseHolidays(text), text).toBeUndefined();
    }
  });
});
