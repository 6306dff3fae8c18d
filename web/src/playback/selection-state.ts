/** The chosen span of the playback page: for export, lock and bookmark. */

import { createSignal } from 'solid-js';
import { between, type Edge, firstChoice, moveEdge } from './selection';
import type { Span, View } from './timeline';

export type Selection = ReturnType<typeof createSelection>;

export function createSelection(
  head: () => number | undefined,
  view: () => View,
  limits: () => View,
) {
  const [span, set] = createSignal<Span>();
  return {
    span,
    clear: () => set(undefined),
    begin() {
      const middle = head() ?? (view().start + view().end) / 2;
      set(firstChoice(middle, view(), limits()));
    },
    choose(one: number, other: number) {
      set(between(one, other, limits()));
    },
    move(edge: Edge, to: number) {
      const now = span();
      if (now) set(moveEdge(now, edge, to, limits()));
    },
    /** The head becomes one end; the first such begins a choice. */
    mark(edge: Edge) {
      const at = head();
      if (at === undefined) return;
      const now = span() ?? firstChoice(at, view(), limits());
      set(moveEdge(now, edge, at, limits()));
    },
  };
}
