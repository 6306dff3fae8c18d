/** The arithmetic of the timeline: what is seen, where a moment lies, which marks to draw. Pure. */

export interface View {
  /** Epoch milliseconds at the left and right edges. */
  start: number;
  end: number;
}

export interface Span {
  start: number;
  end: number;
}

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The closest look: half a minute across. */
export const SHORTEST_VIEW = 30 * SECOND;

export const length = (view: View): number => view.end - view.start;

export function xOf(ms: number, view: View, width: number): number {
  return ((ms - view.start) / length(view)) * width;
}

export function msAt(x: number, view: View, width: number): number {
  return view.start + (x / Math.max(1, width)) * length(view);
}

/** `view` moved and shrunk so that it lies inside `limits`. */
export function clampView(view: View, limits: View): View {
  const size = Math.min(length(limits), Math.max(SHORTEST_VIEW, length(view)));
  const start = Math.min(limits.end - size, Math.max(limits.start, view.start));
  return { start, end: start + size };
}

/** Zoom by `factor` (below 1: closer), with `anchor` staying under the pointer. */
export function zoomAt(view: View, factor: number, anchor: number, limits: View): View {
  const size = Math.min(length(limits), Math.max(SHORTEST_VIEW, length(view) * factor));
  const share = (anchor - view.start) / length(view);
  const start = anchor - share * size;
  return clampView({ start, end: start + size }, limits);
}

export function panBy(view: View, ms: number, limits: View): View {
  return clampView({ start: view.start + ms, end: view.end + ms }, limits);
}

/** A first look at `at`: three hours, or closer where less than that was recorded before it. */
export function viewAround(at: number, spans: readonly Span[], limits: View): View {
  const first = spans.find((span) => span.end > at - 2 * HOUR)?.start ?? at;
  const back = Math.min(2 * HOUR, Math.max(4 * MINUTE, (at - first) * 1.25));
  return clampView({ start: at - back, end: at + back / 2 }, limits);
}

/** Keep a playing `head` in sight: turn the page when it nears the right edge. */
export function follow(view: View, head: number, limits: View): View {
  const margin = length(view) * 0.04;
  if (head >= view.start && head <= view.end - margin) return view;
  return panBy(view, head - view.start - length(view) * 0.1, limits);
}

const STEPS = [
  SECOND,
  2 * SECOND,
  5 * SECOND,
  10 * SECOND,
  15 * SECOND,
  30 * SECOND,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
];
/** Steps of whole days, laid at local midnights. */
const DAY_STEPS = [1, 2, 7, 14, 28, 56];

export interface Ticks {
  /** Distance between labelled marks. */
  step: number;
  /** Labelled marks, in epoch milliseconds. */
  major: number[];
  minor: number[];
}

/** Marks at round local times, labels at least `apart` pixels from each other. */
export function ticks(view: View, width: number, apart = 84): Ticks {
  const wanted = (apart / Math.max(1, width)) * length(view);
  const smallest = (7 / Math.max(1, width)) * length(view);
  const step = STEPS.find((candidate) => candidate >= wanted);
  if (step === undefined) {
    const days = DAY_STEPS.find((candidate) => candidate * DAY >= wanted) ?? 56;
    const fine = DAY < smallest ? days : 1;
    const major = midnights(view, days);
    const minor = midnights(view, fine).filter((ms) => !major.includes(ms));
    return { step: days * DAY, major, minor };
  }
  const below = STEPS.filter((candidate) => candidate < step && step % candidate === 0);
  const fine = below.find((candidate) => candidate >= smallest) ?? step;
  const major = marks(view, step);
  const taken = new Set(major);
  return { step, major, minor: marks(view, fine).filter((ms) => !taken.has(ms)) };
}

/** Each `step` from local midnight on, anew on each day, so that days of 23 hours come right. */
function marks(view: View, step: number): number[] {
  const found: number[] = [];
  for (let day = dayOf(view.start); day.start <= view.end; day = dayOf(day.end + HOUR)) {
    const first = day.start + Math.max(0, Math.ceil((view.start - day.start) / step)) * step;
    const last = Math.min(view.end, day.end - 1);
    for (let ms = first; ms <= last; ms += step) found.push(ms);
  }
  return found;
}

/** Local midnights, each `days` days, counted from a fixed Monday. */
function midnights(view: View, days: number): number[] {
  const found: number[] = [];
  const cursor = new Date(dayOf(view.start).start);
  while (cursor.getTime() <= view.end) {
    const ms = cursor.getTime();
    if (ms >= view.start && dayNumber(ms) % days === 0) found.push(ms);
    cursor.setDate(cursor.getDate() + 1);
  }
  return found;
}

/** Days since Monday, 5 January 1970, by the local calendar. */
function dayNumber(ms: number): number {
  const date = new Date(ms);
  const utc = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round(utc / DAY) - 4;
}

/** Sorted, and joined where they touch or overlap (up to `slack` apart). */
export function mergeSpans(spans: readonly Span[], slack = 0): Span[] {
  const sorted = [...spans].filter((span) => span.end > span.start);
  sorted.sort((a, b) => a.start - b.start);
  const merged: Span[] = [];
  for (const { start, end } of sorted) {
    const last = merged.at(-1);
    if (last && start <= last.end + slack) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}

/** What of `spans` (sorted, apart) is not in `others` (likewise), parts of 2 s or more. */
export function subtract(spans: readonly Span[], others: readonly Span[]): Span[] {
  const left: Span[] = [];
  for (const span of spans) {
    let at = span.start;
    for (const other of others) {
      if (other.end <= at) continue;
      if (other.start >= span.end) break;
      if (other.start - at >= 2 * SECOND) left.push({ start: at, end: other.start });
      at = Math.max(at, other.end);
    }
    if (span.end - at >= 2 * SECOND) left.push({ start: at, end: span.end });
  }
  return left;
}

export function spanAt(spans: readonly Span[], ms: number): Span | undefined {
  return spans.find((span) => ms >= span.start && ms < span.end);
}

/** The first span that begins after `ms`. `spans` are sorted. */
export function spanAfter(spans: readonly Span[], ms: number): Span | undefined {
  return spans.find((span) => span.start > ms);
}

/** The last span that begins before `ms`, leaving `slack` so that pressing twice goes on. */
export function spanBefore(spans: readonly Span[], ms: number, slack = 3000): Span | undefined {
  return spans.findLast((span) => span.start < ms - slack);
}

export const covered = (spans: readonly Span[]): number =>
  spans.reduce((sum, span) => sum + span.end - span.start, 0);

/** Local midnight before `ms`, and the next one: a day of 23 or 25 hours is as long as it is. */
export function dayOf(ms: number): View {
  const start = new Date(ms);
  start.setHours(0, 0, 0, 0);
  const end = new Date(start);
  end.setDate(end.getDate() + 1);
  return { start: start.getTime(), end: end.getTime() };
}

/** '2026-11-23' in local time. */
export function dateKey(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Local midnight of '2026-11-23', or undefined. */
export function parseDateKey(key: string): number | undefined {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(key);
  if (!found) return undefined;
  const [year, month, day] = found.slice(1).map(Number) as [number, number, number];
  const date = new Date(year, month - 1, day);
  return date.getMonth() === month - 1 ? date.getTime() : undefined;
}

/** The weeks of the month of `ms`, each of seven local midnights, from `firstDay` (0: Sunday). */
export function monthGrid(ms: number, firstDay: number): number[][] {
  const cursor = new Date(ms);
  cursor.setDate(1);
  cursor.setHours(0, 0, 0, 0);
  const month = cursor.getMonth();
  cursor.setDate(1 - ((cursor.getDay() - firstDay + 7) % 7));
  const weeks: number[][] = [];
  do {
    const week: number[] = [];
    for (let index = 0; index < 7; index += 1) {
      week.push(cursor.getTime());
      cursor.setDate(cursor.getDate() + 1);
    }
    weeks.push(week);
  } while (cursor.getMonth() === month);
  return weeks;
}
