/** The timeline on a canvas: rows of recorded spans, a ruler, the playing head. */

import { createEffect, onCleanup, onMount } from 'solid-js';
import { clock, t } from '../i18n';
import {
  clampView,
  length,
  msAt,
  panBy,
  SECOND,
  type Span,
  ticks,
  type View,
  xOf,
  zoomAt,
} from './timeline';

export interface TimelineRow {
  id: string;
  name: string;
  spans: readonly Span[];
}

interface TimelineProps {
  rows: readonly TimelineRow[];
  selected: string;
  view: View;
  limits: View;
  head: number | undefined;
  now: number;
  onView: (view: View) => void;
  onSeek: (ms: number, row: string) => void;
}

const RULER = 26;
const ROW = 34;
const CLICK_SLACK = 5;

export const timelineHeight = (rows: number): number => RULER + Math.max(1, rows) * ROW + 8;

export function Timeline(props: TimelineProps) {
  let canvas: HTMLCanvasElement | undefined;
  let width = 0;
  let hoverX: number | undefined;
  let frame = 0;
  const pointers = new Map<number, { x: number; startX: number; startY: number }>();

  const redraw = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => canvas && draw(canvas, props, width, hoverX));
  };

  const resize = () => {
    if (!canvas) return;
    width = canvas.clientWidth;
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(timelineHeight(props.rows.length) * scale);
    redraw();
  };

  onMount(() => {
    const observer = new ResizeObserver(resize);
    if (canvas) observer.observe(canvas);
    canvas?.addEventListener('wheel', onWheel, { passive: false });
    onCleanup(() => observer.disconnect());
  });
  onCleanup(() => cancelAnimationFrame(frame));

  createEffect(() => {
    void props.rows.length;
    resize();
  });
  createEffect(() => {
    void [props.rows, props.view, props.head, props.now, props.selected];
    redraw();
  });

  const at = (event: { clientX: number }): number =>
    event.clientX - (canvas?.getBoundingClientRect().left ?? 0);
  const moment = (x: number): number => msAt(x, props.view, width);

  function onWheel(event: WheelEvent): void {
    event.preventDefault();
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
      props.onView(panBy(props.view, (sideways / width) * length(props.view), props.limits));
      return;
    }
    const factor = Math.exp(Math.max(-120, Math.min(120, event.deltaY)) * 0.0022);
    props.onView(zoomAt(props.view, factor, moment(at(event)), props.limits));
  }

  const onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    canvas?.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: at(event), startX: at(event), startY: event.clientY });
  };

  const onMove = (event: PointerEvent) => {
    const x = at(event);
    hoverX = event.pointerType === 'mouse' ? x : undefined;
    const held = pointers.get(event.pointerId);
    if (!held) {
      redraw();
      return;
    }
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, other]) => other);
    const other = others[0];
    if (other) pinch(held.x, x, other.x);
    else if (Math.abs(x - held.startX) > CLICK_SLACK || Math.abs(x - held.x) > CLICK_SLACK) {
      props.onView(panBy(props.view, ((held.x - x) / width) * length(props.view), props.limits));
    } else return;
    held.x = x;
  };

  const pinch = (from: number, to: number, fixed: number) => {
    const before = Math.max(12, Math.abs(from - fixed));
    const after = Math.max(12, Math.abs(to - fixed));
    props.onView(zoomAt(props.view, before / after, moment(fixed), props.limits));
  };

  const onUp = (event: PointerEvent) => {
    const held = pointers.get(event.pointerId);
    pointers.delete(event.pointerId);
    if (!held || pointers.size > 0 || !canvas) return;
    const x = at(event);
    if (Math.abs(x - held.startX) > CLICK_SLACK) return;
    const y = event.clientY - canvas.getBoundingClientRect().top - RULER;
    const row = props.rows[Math.floor(y / ROW)];
    props.onSeek(moment(x), row?.id ?? props.selected);
  };

  const onKey = (event: KeyboardEvent) => {
    const zoom = event.key === '+' || event.key === '=' ? 0.6 : event.key === '-' ? 1 / 0.6 : 0;
    if (!zoom) return;
    event.preventDefault();
    const anchor = props.head ?? (props.view.start + props.view.end) / 2;
    props.onView(clampView(zoomAt(props.view, zoom, anchor, props.limits), props.limits));
  };

  return (
    <canvas
      ref={(element) => {
        canvas = element;
      }}
      class="timeline-canvas"
      data-rows={Math.min(6, Math.max(1, props.rows.length))}
      tabIndex={0}
      role="slider"
      aria-label={t('playback.timeline')}
      aria-valuemin={props.limits.start}
      aria-valuemax={props.limits.end}
      aria-valuenow={Math.round(props.head ?? props.view.start)}
      aria-valuetext={props.head === undefined ? '' : clock(props.head)}
      title={t('playback.timeline.hint')}
      onPointerDown={onDown}
      onPointerMove={onMove}
      onPointerUp={onUp}
      onPointerCancel={(event) => pointers.delete(event.pointerId)}
      onPointerLeave={() => {
        hoverX = undefined;
        redraw();
      }}
      onKeyDown={onKey}
    />
  );
}

/* Colours of the canvas; tokens.css names the same. */
const INK = {
  text: '#a8b4c4',
  faint: '#7c8a9d',
  line: '#232d3a',
  major: '#3a4757',
  row: '#0c1118',
  span: '#2f6fc4',
  spanOn: '#5aa8ff',
  head: '#ffffff',
  future: 'rgba(255,255,255,0.025)',
  now: '#3ddc97',
};

function draw(canvas: HTMLCanvasElement, props: TimelineProps, width: number, hover?: number) {
  const pen = canvas.getContext('2d');
  if (!pen || width === 0) return;
  const scale = canvas.width / width;
  const height = canvas.height / scale;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = `11.5px ${getComputedStyle(canvas).fontFamily}`;
  const x = (ms: number) => xOf(ms, props.view, width);
  drawRows(pen, props, width, x);
  drawRuler(pen, props, width, height, x);
  if (props.now > props.view.start && props.now < props.view.end) {
    pen.fillStyle = INK.future;
    pen.fillRect(x(props.now), RULER, width, height - RULER);
    pen.fillStyle = INK.now;
    pen.fillRect(x(props.now) - 0.5, RULER, 1, height - RULER - 8);
  }
  if (hover !== undefined) drawHover(pen, props, width, height, hover);
  if (props.head !== undefined) drawHead(pen, x(props.head), height);
}

type Place = (ms: number) => number;

function drawRows(pen: CanvasRenderingContext2D, props: TimelineProps, width: number, x: Place) {
  for (const [index, row] of props.rows.entries()) {
    const top = RULER + index * ROW + 4;
    pen.fillStyle = INK.row;
    pen.beginPath();
    pen.roundRect(0, top, width, ROW - 8, 5);
    pen.fill();
    const on = row.id === props.selected;
    pen.fillStyle = on ? INK.spanOn : INK.span;
    pen.globalAlpha = on ? 0.85 : 0.6;
    for (const span of row.spans) {
      if (span.end < props.view.start || span.start > props.view.end) continue;
      const left = Math.max(-4, x(span.start));
      const right = Math.min(width + 4, x(span.end));
      pen.beginPath();
      pen.roundRect(left, top, Math.max(1.5, right - left), ROW - 8, Math.min(4, right - left));
      pen.fill();
    }
    pen.globalAlpha = 1;
    if (props.rows.length > 1) {
      pen.fillStyle = 'rgba(5,8,12,0.72)';
      const name = row.name.length > 26 ? `${row.name.slice(0, 25)}…` : row.name;
      const wide = pen.measureText(name).width + 14;
      pen.beginPath();
      pen.roundRect(6, top + 4, wide, ROW - 16, 4);
      pen.fill();
      pen.fillStyle = on ? '#ffffff' : INK.text;
      pen.textAlign = 'left';
      pen.textBaseline = 'middle';
      pen.fillText(name, 13, top + ROW / 2 - 3.5);
    }
  }
}

function drawRuler(
  pen: CanvasRenderingContext2D,
  props: TimelineProps,
  width: number,
  height: number,
  x: Place,
) {
  const { major, minor, step } = ticks(props.view, width, props.limits.start);
  pen.fillStyle = INK.line;
  for (const ms of minor) pen.fillRect(Math.round(x(ms)), RULER - 5, 1, 5);
  pen.textBaseline = 'middle';
  for (const ms of major) {
    const at = Math.round(x(ms));
    pen.fillStyle = INK.major;
    pen.fillRect(at, RULER - 9, 1, 9);
    pen.fillStyle = 'rgba(255,255,255,0.05)';
    pen.fillRect(at, RULER, 1, height - RULER - 8);
    const label = clock(ms, { seconds: step < 60 * SECOND });
    const half = pen.measureText(label).width / 2;
    pen.textAlign = 'center';
    pen.fillStyle = INK.faint;
    pen.fillText(label, Math.min(width - half - 2, Math.max(half + 2, at)), 9);
  }
}

function drawHover(
  pen: CanvasRenderingContext2D,
  props: TimelineProps,
  width: number,
  height: number,
  at: number,
) {
  pen.fillStyle = 'rgba(255,255,255,0.35)';
  pen.fillRect(Math.round(at), RULER - 4, 1, height - RULER - 4);
  const label = clock(msAt(at, props.view, width));
  const wide = pen.measureText(label).width + 14;
  const left = Math.min(width - wide, Math.max(0, at - wide / 2));
  pen.fillStyle = '#26303d';
  pen.beginPath();
  pen.roundRect(left, 0, wide, 19, 5);
  pen.fill();
  pen.fillStyle = '#ffffff';
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.fillText(label, left + wide / 2, 10);
}

function drawHead(pen: CanvasRenderingContext2D, at: number, height: number) {
  pen.fillStyle = 'rgba(0,0,0,0.5)';
  pen.fillRect(at - 2, RULER - 4, 4, height - RULER);
  pen.fillStyle = INK.head;
  pen.fillRect(at - 1, RULER - 4, 2, height - RULER);
  pen.beginPath();
  pen.moveTo(at - 6, RULER - 12);
  pen.lineTo(at + 6, RULER - 12);
  pen.lineTo(at + 6, RULER - 6);
  pen.lineTo(at, RULER);
  pen.lineTo(at - 6, RULER - 6);
  pen.closePath();
  pen.fill();
}
