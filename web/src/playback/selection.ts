/** A chosen span of time, and how its ends are moved. Pure. */

import { MINUTE, SECOND, type Span, type View } from './timeline';

export const SHORTEST = SECOND;
/** What the server takes at most. */
export const LONGEST = 400 * 24 * 60 * MINUTE;

export type Edge = 'start' | 'end';

/** A span of two moments in any order, at least a second long, within `limits`. */
export function between(one: number, other: number, limits: View): Span {
  const start = Math.max(limits.start, Math.min(one, other));
  const end = Math.min(limits.end, Math.max(one, other));
  if (end - start >= SHORTEST) return { start, end: Math.min(end, start + LONGEST) };
  return start + SHORTEST <= limits.end
    ? { start, end: start + SHORTEST }
    : { start: limits.end - SHORTEST, end: limits.end };
}

/** Move one end; passing the other end pushes it along. */
export function moveEdge(span: Span, edge: Edge, to: number, limits: View): Span {
  if (edge === 'start') {
    const start = Math.min(Math.max(limits.start, to), limits.end - SHORTEST);
    return { start, end: Math.max(span.end, start + SHORTEST) };
  }
  const end = Math.max(Math.min(limits.end, to), limits.start + SHORTEST);
  return { start: Math.min(span.start, end - SHORTEST), end };
}

/** A first choice around the head: a minute, or a tenth of what is seen if that is less. */
export function firstChoice(head: number, view: View, limits: View): Span {
  const half = Math.min(30 * SECOND, (view.end - view.start) / 10);
  return between(head - half, head + half, limits);
}
