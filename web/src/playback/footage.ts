/** What was recorded, missed, noticed and held around the view, kept fresh while it grows. */

import { createEffect, createSignal, on, onCleanup } from 'solid-js';
import {
  type EventMark,
  type GapMark,
  getTimeline,
  type HoldMark,
  type ModeSpan,
} from '../api/timeline';
import { explain, toast } from '../ui/toast';
import { DAY, HOUR, length, mergeSpans, type Span, subtract, type View } from './timeline';

const EVERY_MS = 15_000;
const SETTLE_MS = 180;
const FINEST_STEP = 1000;
const MARKS_ACROSS = 1200;

export interface Line {
  /** Recorded spans of all streams, joined. */
  spans: Span[];
  /** Those of single streams, to choose between them. */
  streams: Record<string, ModeSpan[]>;
  gaps: GapMark[];
  events: EventMark[];
  holds: HoldMark[];
}

const NOTHING: Line = { spans: [], streams: {}, gaps: [], events: [], holds: [] };

interface Loaded {
  range: View;
  step: number;
  lines: Record<string, Line>;
}

export type Footage = ReturnType<typeof createFootage>;

/** What to ask for so that `view` can be moved about a little: its range and the finest mark. */
export function rangeFor(view: View, longest: number): { range: View; step: number } {
  const size = Math.min(longest, length(view) * 3);
  const middle = (view.start + view.end) / 2;
  const step = Math.max(FINEST_STEP, Math.floor(length(view) / MARKS_ACROSS));
  return { range: { start: middle - size / 2, end: middle + size / 2 }, step };
}

/** Whether `loaded` is good enough for `view`: it holds it, and is neither too rough nor too fine. */
export function suits(loaded: { range: View; step: number }, view: View, longest: number): boolean {
  const { range, step } = loaded;
  if (view.start < range.start || view.end > range.end) return false;
  const wanted = rangeFor(view, longest).step;
  return step <= wanted * 2.5 && step >= wanted / 12;
}

const MOST_DAYS = 399;

export function createFootage(
  cameras: () => string[],
  streamsOf: (camera: string) => string[],
  view: () => View,
  onLoaded: () => void,
  onFailed: () => void,
) {
  const [loaded, setLoaded] = createSignal<Loaded>();
  const longest = MOST_DAYS * DAY;
  let abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const load = async () => {
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    const { range, step } = rangeFor(view(), longest);
    const ids = cameras();
    try {
      const lines = await Promise.all(
        ids.map(
          async (id) => [id, await loadLine(id, streamsOf(id), range, step, signal)] as const,
        ),
      );
      if (signal.aborted) return;
      setLoaded({ range, step, lines: Object.fromEntries(lines) });
      onLoaded();
    } catch (error) {
      if (signal.aborted) return;
      toast(explain(error), 'bad');
      onFailed();
    }
  };
  const soon = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => void load(), ms);
  };

  createEffect(on(cameras, () => soon(0)));
  createEffect(() => {
    const have = loaded();
    if (have && !suits(have, view(), longest)) soon(SETTLE_MS);
  });
  const refresh = setInterval(() => {
    const now = Date.now();
    if (!document.hidden && view().end > now - HOUR && view().start < now) void load();
  }, EVERY_MS);
  onCleanup(() => {
    abort.abort();
    clearTimeout(timer);
    clearInterval(refresh);
  });

  const line = (camera: string): Line => loaded()?.lines[camera] ?? NOTHING;
  return {
    line,
    of: (camera: string): Span[] => line(camera).spans,
    /** Whether what lies in `wanted` has come. */
    knows: (camera: string, wanted: View): boolean => {
      const have = loaded();
      return (
        have?.lines[camera] !== undefined &&
        wanted.start >= have.range.start &&
        wanted.end <= have.range.end
      );
    },
    reload: () => soon(0),
    /** The recorded spans of one camera in any range, joined where they nearly touch. */
    spansIn: (camera: string, range: View): Promise<Span[]> =>
      loadSpans(camera, streamsOf(camera), range),
  };
}

/** What is recorded of a camera in any range, by the streams named. */
export async function loadSpans(camera: string, streams: string[], range: View): Promise<Span[]> {
  const step = Math.max(2000, length(range) / 2000);
  const found = await loadLine(camera, streams, range, step);
  return found.spans;
}

async function loadLine(
  camera: string,
  streams: string[],
  range: View,
  step: number,
  signal?: AbortSignal,
): Promise<Line> {
  const { start, end } = range;
  const answers = await Promise.all(
    streams.map((stream) => getTimeline(camera, { start, end, stream, step }, signal)),
  );
  const first = answers[0];
  if (!first) return NOTHING;
  const spans = mergeSpans(
    answers.flatMap((one) => one.spans),
    500,
  );
  return {
    spans,
    streams: Object.fromEntries(streams.map((name, at) => [name, answers[at]?.spans ?? []])),
    // What another stream recorded is not missing.
    gaps: first.gaps.filter(
      (gap) => subtract([{ start: gap.start, end: gap.end ?? end }], spans).length > 0,
    ),
    events: first.events,
    holds: first.holds,
  };
}

/** Streams to try at `ms`, the best first: those that have it, in the camera's order. */
export function streamsAt(
  line: Line,
  ms: number,
  names: readonly string[],
  barred: ReadonlySet<string>,
): string[] {
  const open = names.filter((name) => !barred.has(name));
  const has = (name: string) =>
    (line.streams[name] ?? []).some((span) => ms >= span.start - 2000 && ms < span.end + 2000);
  return [...open.filter(has), ...open.filter((name) => !has(name))];
}

const HOUR_MS = 3_600_000;

/** Where to begin in a day's last span: near its end while it grows, else an hour before. */
export function startingPoint(last: Span, now: number): number {
  const growing = now - last.end < 120_000;
  return Math.max(last.start, last.end - (growing ? 30_000 : HOUR_MS));
}
