/** What was recorded of the cameras on the timeline on one day, kept fresh while it grows. */

import { createEffect, createSignal, onCleanup } from 'solid-js';
import { listSpans, type RecordedSpan } from '../api/recordings';
import { explain, toast } from '../ui/toast';
import { dateKey, mergeSpans, type Span, type View } from './timeline';

const EVERY_MS = 15_000;
const JOIN_MS = 500;

export interface Footage {
  /** Recorded spans of all streams of a camera, joined. */
  of(camera: string): Span[];
  /** Spans of single streams, as the server says them. */
  raw(camera: string): RecordedSpan[];
  /** Whether the spans of `day` have come. */
  knows(day: View): boolean;
}

export function createFootage(
  cameras: () => string[],
  day: () => View,
  onLoaded: () => void,
): Footage {
  const [spans, setSpans] = createSignal<Record<string, RecordedSpan[]>>({});
  const [known, setKnown] = createSignal('');

  createEffect(() => {
    const ids = cameras();
    const { start, end } = day();
    const abort = new AbortController();
    const load = async () => {
      try {
        const found = await Promise.all(
          ids.map(async (id) => [id, await listSpans(id, start, end, abort.signal)] as const),
        );
        if (abort.signal.aborted) return;
        setSpans(Object.fromEntries(found));
        setKnown(dateKey(start));
        onLoaded();
      } catch (error) {
        if (!abort.signal.aborted) toast(explain(error), 'bad');
      }
    };
    void load();
    const growing = () => Date.now() < end + 60_000;
    const timer = setInterval(() => growing() && void load(), EVERY_MS);
    onCleanup(() => {
      abort.abort();
      clearInterval(timer);
    });
  });

  const raw = (camera: string) => spans()[camera] ?? [];
  return {
    raw,
    of: (camera) => mergeSpans(raw(camera), JOIN_MS),
    knows: (wanted) => known() === dateKey(wanted.start),
  };
}

/** The stream to play at `ms`: the main one if this browser can show it, else another. */
export function chooseStream(
  spans: readonly RecordedSpan[],
  ms: number,
  playable: ReadonlySet<string>,
  fallback: string,
): string {
  const fit = spans.filter((span) => ms < span.end && (!span.codec || playable.has(span.codec)));
  const best = fit.find((span) => span.stream === 'main') ?? fit[0];
  return best?.stream ?? fallback;
}

const HOUR_MS = 3_600_000;

/** Where to begin in a day's last span: near its end while it grows, else an hour before. */
export function startingPoint(last: Span, now: number): number {
  const growing = now - last.end < 120_000;
  return Math.max(last.start, last.end - (growing ? 30_000 : HOUR_MS));
}
