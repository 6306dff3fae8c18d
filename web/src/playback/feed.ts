/** The arithmetic of feeding recorded windows to a player: pure, in seconds of media time. */

import type { Ranges } from '../live/edge';

/** Short windows first, so that the picture comes soon. */
export const FIRST_WINDOW_S = 8;
export const WINDOW_S = 30;
const AHEAD_S = 20;
const KEEP_BEHIND_S = 30;

export const windowSeconds = (fed: number): number => (fed === 0 ? FIRST_WINDOW_S : WINDOW_S);

const TOLERANCE = 0.1;

/** The end of the buffered range that holds `at`, or undefined. */
export function rangeEnd(buffered: Ranges, at: number): number | undefined {
  for (let index = 0; index < buffered.length; index += 1) {
    if (at >= buffered.start(index) - TOLERANCE && at < buffered.end(index)) {
      return buffered.end(index);
    }
  }
  return undefined;
}

/** The start of the first range after `at`. */
export function rangeAfter(buffered: Ranges, at: number): number | undefined {
  for (let index = 0; index < buffered.length; index += 1) {
    if (buffered.start(index) > at + TOLERANCE / 2) return buffered.start(index);
  }
  return undefined;
}

/** All that is buffered after `at`, holes not counted. */
export function secondsAhead(buffered: Ranges, at: number): number {
  let sum = 0;
  for (let index = 0; index < buffered.length; index += 1) {
    sum += Math.max(0, buffered.end(index) - Math.max(at, buffered.start(index)));
  }
  return sum;
}

export const wantsMore = (buffered: Ranges, at: number, rate: number): boolean =>
  secondsAhead(buffered, at) < AHEAD_S * Math.max(1, rate);

/** What lies far enough behind to be dropped. */
export function dropBehind(
  buffered: Ranges,
  at: number,
  keep = KEEP_BEHIND_S,
): { from: number; to: number } | undefined {
  if (buffered.length === 0) return undefined;
  const from = buffered.start(0);
  const to = at - keep;
  return to > from + keep ? { from, to } : undefined;
}
