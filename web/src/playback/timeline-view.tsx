/** The timeline: its canvas, what hands and keys do on it, and what is told where they point. */

import { createEffect, createSignal, onCleanup, onMount, Show } from 'solid-js';
import { clock, day as sayDay, t } from '../i18n';
import { Gestures } from './gestures';
import { Hint } from './hint';
import { Handles } from './selection-handles';
import type { Selection } from './selection-state';
import { length, MINUTE, msAt, panBy, SECOND, type View, zoomAt } from './timeline';
import { draw, RULER, rowAt, type TimelineRow, timelineHeight } from './timeline-draw';

interface TimelineProps {
  rows: readonly TimelineRow[];
  selected: string;
  view: View;
  limits: View;
  head: number | undefined;
  now: number;
  selection: Selection;
  onView: (view: View) => void;
  onScrub: (ms: number | undefined) => void;
  onSeek: (ms: number, row: string) => void;
}

export interface Pointed {
  x: number;
  ms: number;
  row: TimelineRow | undefined;
}

export function Timeline(props: TimelineProps) {
  let canvas: HTMLCanvasElement | undefined;
  let box: HTMLDivElement | undefined;
  const [width, setWidth] = createSignal(0);
  const [pointer, setPointer] = createSignal<{ x: number; y: number }>();
  let frame = 0;

  const redraw = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      if (canvas)
        draw(canvas, { ...props, selection: props.selection.span() }, width(), pointer()?.x);
    });
  };

  const resize = () => {
    if (!canvas) return;
    const tall = timelineHeight(props.rows.length);
    canvas.style.height = `${tall}px`;
    setWidth(canvas.clientWidth);
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width() * scale);
    canvas.height = Math.round(tall * scale);
    redraw();
  };

  onMount(() => {
    const observer = new ResizeObserver(resize);
    if (canvas) observer.observe(canvas);
    // On the box, so that the handles above the canvas take no wheel away.
    box?.addEventListener('wheel', onWheel, { passive: false });
    onCleanup(() => observer.disconnect());
  });
  onCleanup(() => cancelAnimationFrame(frame));

  createEffect(() => {
    void props.rows.length;
    resize();
  });
  createEffect(() => {
    void [props.rows, props.view, props.head, props.now, props.selected, props.selection.span()];
    void pointer();
    redraw();
  });

  const place = (event: PointerEvent | WheelEvent) => {
    const bounds = canvas?.getBoundingClientRect();
    return { x: event.clientX - (bounds?.left ?? 0), y: event.clientY - (bounds?.top ?? 0) };
  };
  const moment = (x: number): number => msAt(x, props.view, width());
  // The view may move under a hand that rests.
  const pointed = (): Pointed | undefined => {
    const at = pointer();
    return at && { x: at.x, ms: moment(at.x), row: rowAt(props.rows, at.y) };
  };

  const gestures = new Gestures({
    view: () => props.view,
    limits: () => props.limits,
    width,
    onRuler: (y) => y < RULER,
    setView: (view) => props.onView(view),
    scrub: (ms) => props.onScrub(ms),
    seek: (ms, y) => props.onSeek(ms, rowAt(props.rows, y)?.id ?? props.selected),
    choose: (from, to) => props.selection.choose(from, to),
  });

  function onWheel(event: WheelEvent): void {
    event.preventDefault();
    const { x } = place(event);
    // Some browsers count lines; moves that come together arrive as one.
    const unit = event.deltaMode === 0 ? 1 : 30;
    const [across, down] = [event.deltaX * unit, event.deltaY * unit];
    const sideways = event.shiftKey ? down : across;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : down)) {
      props.onView(panBy(props.view, (sideways / width()) * length(props.view), props.limits));
      return;
    }
    const factor = Math.exp(Math.max(-600, Math.min(600, down)) * 0.0022);
    props.onView(zoomAt(props.view, factor, moment(x), props.limits));
  }

  const onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const { x, y } = place(event);
    canvas?.setPointerCapture(event.pointerId);
    gestures.down(event.pointerId, x, y, event.shiftKey);
  };

  const onMove = (event: PointerEvent) => {
    const { x, y } = place(event);
    if (event.pointerType === 'mouse' || event.buttons > 0)
      setPointer({ x, y: Math.max(RULER, y) });
    gestures.move(event.pointerId, x, y);
  };

  const onUp = (event: PointerEvent) => {
    gestures.up(event.pointerId, place(event).x);
    if (event.pointerType !== 'mouse') setPointer(undefined);
  };

  const onKey = (event: KeyboardEvent) => {
    const size = length(props.view);
    const middle = props.head ?? (props.view.start + props.view.end) / 2;
    const acts: Record<string, () => void> = {
      '+': () => props.onView(zoomAt(props.view, 0.6, middle, props.limits)),
      '=': () => props.onView(zoomAt(props.view, 0.6, middle, props.limits)),
      '-': () => props.onView(zoomAt(props.view, 1 / 0.6, middle, props.limits)),
      PageUp: () => props.onView(panBy(props.view, -size * 0.8, props.limits)),
      PageDown: () => props.onView(panBy(props.view, size * 0.8, props.limits)),
      ArrowUp: () => props.onSeek(middle + stride(size), props.selected),
      ArrowDown: () => props.onSeek(middle - stride(size), props.selected),
      Home: () => props.onSeek(props.view.start, props.selected),
      End: () => props.onSeek(props.view.end, props.selected),
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };

  return (
    <div
      class="timeline-box"
      ref={(element) => {
        box = element;
      }}
    >
      <canvas
        ref={(element) => {
          canvas = element;
        }}
        class="timeline-canvas"
        tabIndex={0}
        role="slider"
        aria-label={t('playback.timeline')}
        aria-valuemin={Math.round(props.view.start / 1000)}
        aria-valuemax={Math.round(props.view.end / 1000)}
        aria-valuenow={Math.round((props.head ?? props.view.start) / 1000)}
        aria-valuetext={
          props.head === undefined ? '' : `${sayDay(props.head, 'short')} ${clock(props.head)}`
        }
        aria-description={t('playback.timeline.hint')}
        data-view-start={Math.round(props.view.start)}
        data-view-end={Math.round(props.view.end)}
        onPointerDown={onDown}
        onPointerMove={onMove}
        onPointerUp={onUp}
        onPointerCancel={(event) => {
          gestures.cancel(event.pointerId);
          setPointer(undefined);
        }}
        onPointerLeave={(event) => event.buttons === 0 && setPointer(undefined)}
        onKeyDown={onKey}
      />
      <Handles selection={props.selection} view={props.view} width={width()} />
      <Show when={pointed()}>
        {(where) => (
          <Hint
            at={where()}
            camera={where().row?.id ?? props.selected}
            line={(where().row ?? props.rows.find((row) => row.id === props.selected))?.line}
            width={width()}
            tolerance={(length(props.view) / Math.max(1, width())) * 3}
          />
        )}
      </Show>
    </div>
  );
}

/** How far one press of an arrow goes: a hundredth of what is seen, a second at least. */
const stride = (size: number): number => Math.max(SECOND, Math.min(10 * MINUTE, size / 100));
