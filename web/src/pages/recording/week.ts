/** A week of recording as minutes of days, and painting over it. Pure. */

import type { Schedule, Slot } from '../../api/types';

export type SlotMode = Slot['mode'];

/** Rows of the week: Monday to Sunday, then holidays. */
export const ROWS = 8;
export const CELLS = 48;
export const CELL_MINUTES = 30;
const DAY_MINUTES = 1440;

/** The mode at a minute of a row; outside of every slot nothing is recorded. */
export function modeAt(slots: readonly Slot[], day: number, minute: number): SlotMode {
  const found = slots.find(
    (one) => one.day === day && one.start_minute <= minute && minute < one.end_minute,
  );
  return found?.mode ?? 'off';
}

/** `slots` with a span of one row set to `mode`; all else stays to the minute. */
export function paint(
  slots: readonly Slot[],
  day: number,
  start: number,
  end: number,
  mode: SlotMode,
): Slot[] {
  const kept = slots.flatMap((one) => {
    if (one.day !== day || one.end_minute <= start || end <= one.start_minute) return [one];
    return [
      { ...one, end_minute: start },
      { ...one, start_minute: end },
    ].filter((part) => part.start_minute < part.end_minute);
  });
  return tidy([...kept, { day, start_minute: start, end_minute: end, mode }]);
}

/** In order, neighbours of one mode joined, without what says only "off". */
export function tidy(slots: readonly Slot[]): Slot[] {
  const sorted = slots
    .filter((one) => one.mode !== 'off')
    .sort((one, other) => one.day - other.day || one.start_minute - other.start_minute);
  const joined: Slot[] = [];
  for (const one of sorted) {
    const last = joined.at(-1);
    if (
      last &&
      last.day === one.day &&
      last.end_minute === one.start_minute &&
      last.mode === one.mode
    )
      joined[joined.length - 1] = { ...last, end_minute: one.end_minute };
    else joined.push({ ...one });
  }
  return joined;
}

export interface Cell {
  row: number;
  column: number;
}

/** Paints the rectangle that two cells span. */
export function paintBetween(slots: readonly Slot[], from: Cell, to: Cell, mode: SlotMode): Slot[] {
  const [left, right] = [Math.min(from.column, to.column), Math.max(from.column, to.column)];
  let painted: Slot[] = [...slots];
  for (let row = Math.min(from.row, to.row); row <= Math.max(from.row, to.row); row += 1) {
    painted = paint(painted, row, left * CELL_MINUTES, (right + 1) * CELL_MINUTES, mode);
  }
  return painted;
}

/** What a calendar begins as: nothing is lost until somebody says so. */
export function wholeWeek(zone: string): Schedule {
  const slots = Array.from({ length: ROWS }, (_, day) => ({
    day,
    start_minute: 0,
    end_minute: DAY_MINUTES,
    mode: 'continuous' as const,
  }));
  return { zone, slots, holidays: [] };
}

/** '2026-12-25, 2027-01-01' as dates in order, each once; undefined where one is none. */
export function parseHolidays(text: string): string[] | undefined {
  const found = new Set<string>();
  for (const part of text.split(/[\s,;]+/)) {
    if (!part) continue;
    const ms = /^\d{4}-\d{2}-\d{2}$/.test(part) ? Date.parse(`${part}T00:00:00Z`) : Number.NaN;
    // 2026-02-30 is no date, though some readers take it for March.
    if (!Number.isFinite(ms) || new Date(ms).toISOString().slice(0, 10) !== part) return undefined;
    found.add(part);
  }
  return [...found].sort();
}

export const minuteWord = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
