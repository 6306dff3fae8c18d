/** The two ends of the chosen span: dragged by hand, moved by arrow keys. */

import { For, Show } from 'solid-js';
import { clock, t } from '../i18n';
import type { Edge } from './selection';
import type { Selection } from './selection-state';
import { msAt, SECOND, type View, xOf } from './timeline';

export function Handles(props: { selection: Selection; view: View; width: number }) {
  return (
    <Show when={props.selection.span()}>
      <For each={['start', 'end'] as Edge[]}>{(edge) => <Handle edge={edge} {...props} />}</For>
    </Show>
  );
}

function Handle(props: { edge: Edge; selection: Selection; view: View; width: number }) {
  const at = () => props.selection.span()?.[props.edge] ?? 0;
  const x = () => xOf(at(), props.view, props.width);
  const seen = () => x() >= -1 && x() <= props.width + 1;
  let held: { left: number; shift: number } | undefined;

  const onDown = (event: PointerEvent & { currentTarget: HTMLElement }) => {
    event.preventDefault();
    event.currentTarget.focus();
    event.currentTarget.setPointerCapture(event.pointerId);
    const left = event.currentTarget.parentElement?.getBoundingClientRect().left ?? 0;
    held = { left, shift: event.clientX - left - x() };
  };
  const onMove = (event: PointerEvent) => {
    if (!held) return;
    const to = event.clientX - held.left - held.shift;
    props.selection.move(props.edge, msAt(to, props.view, props.width));
  };
  const onKey = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    props.selection.move(props.edge, at() + by * (event.shiftKey ? 10 : 1) * SECOND);
  };

  return (
    <Show when={seen()}>
      <button
        type="button"
        role="slider"
        class="span-handle"
        classList={{ end: props.edge === 'end' }}
        style={{ left: `${x()}px` }}
        aria-label={t(props.edge === 'start' ? 'selection.start' : 'selection.end')}
        aria-valuenow={Math.round(at() / 1000)}
        aria-valuemin={Math.round(props.view.start / 1000)}
        aria-valuemax={Math.round(props.view.end / 1000)}
        aria-valuetext={clock(at())}
        data-edge={props.edge}
        onPointerDown={onDown}
        onPointerMove={onMove}
        onPointerUp={() => {
          held = undefined;
        }}
        onPointerCancel={() => {
          held = undefined;
        }}
        onKeyDown={onKey}
      />
    </Show>
  );
}
