/** Draws the timeline on its canvas: rows of recorded spans, gaps, events, holds, the head. */

import { clock, day as sayDay } from '../i18n';
import type { Line } from './footage';
import { DAY, length, SECOND, type Span, ticks, type View, xOf } from './timeline';

export const RULER = 28;
const TALL = 34;
const SHORT = 24;
const FOOT = 8;

export interface TimelineRow {
  id: string;
  name: string;
  line: Line;
}

export interface Scene {
  rows: readonly TimelineRow[];
  selected: string;
  view: View;
  head: number | undefined;
  now: number;
  selection: Span | undefined;
}

export const rowHeight = (rows: number): number => (rows > 4 ? SHORT : TALL);

export const timelineHeight = (rows: number): number =>
  RULER + Math.max(1, rows) * rowHeight(rows) + FOOT;

/** The row at `y` pixels from the top. */
export function rowAt<Row>(rows: readonly Row[], y: number): Row | undefined {
  return rows[Math.floor((y - RULER) / rowHeight(rows.length))];
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
  event: '#2b8a7e',
  eventOn: '#3fc1b0',
  gap: 'rgba(255,111,111,0.75)',
  gapBase: 'rgba(255,111,111,0.10)',
  lock: '#ffc15e',
  bookmark: '#c79bff',
  head: '#ffffff',
  future: 'rgba(255,255,255,0.025)',
  now: '#3ddc97',
  chosen: 'rgba(255,255,255,0.13)',
};

const KINDS: Record<string, string> = {
  motion: '#ffc15e',
  person: '#ff8fb1',
  vehicle: '#8fe6ff',
  input: '#b8e986',
  manual: '#ffffff',
};
const OTHERS = ['#f5a97f', '#d6a4ff', '#9be7c4', '#ffd86f', '#8fb8ff'];

/** A colour for a kind of event, the same each time. */
export function kindColour(kind: string): string {
  const known = KINDS[kind];
  if (known) return known;
  let sum = 0;
  for (const letter of kind) sum = (sum * 31 + letter.charCodeAt(0)) >>> 0;
  return OTHERS[sum % OTHERS.length] ?? '#8fb8ff';
}

type Place = (ms: number) => number;

export function draw(canvas: HTMLCanvasElement, scene: Scene, width: number, hover?: number): void {
  const pen = canvas.getContext('2d');
  if (!pen || width === 0) return;
  const scale = canvas.width / width;
  const height = canvas.height / scale;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = `11.5px ${getComputedStyle(canvas).fontFamily}`;
  const x = (ms: number) => xOf(ms, scene.view, width);
  for (const [index, row] of scene.rows.entries()) drawRow(pen, scene, row, index, width, x);
  drawRuler(pen, scene.view, width, height, x);
  if (scene.selection) drawSelection(pen, scene.selection, height, x);
  if (scene.now > scene.view.start && scene.now < scene.view.end) {
    pen.fillStyle = INK.future;
    pen.fillRect(x(scene.now), RULER, width, height - RULER);
    pen.fillStyle = INK.now;
    pen.fillRect(x(scene.now) - 0.5, RULER, 1, height - RULER - FOOT);
  }
  if (hover !== undefined) {
    pen.fillStyle = 'rgba(255,255,255,0.35)';
    pen.fillRect(Math.round(hover), RULER - 4, 1, height - RULER - 4);
  }
  if (scene.head !== undefined) drawHead(pen, x(scene.head), height);
}

function drawRow(
  pen: CanvasRenderingContext2D,
  scene: Scene,
  row: TimelineRow,
  index: number,
  width: number,
  x: Place,
): void {
  const tall = rowHeight(scene.rows.length);
  const top = RULER + index * tall + 3;
  const deep = tall - 6;
  const on = row.id === scene.selected;
  pen.fillStyle = INK.row;
  rounded(pen, 0, top, width, deep, 5);
  const { view } = scene;
  const seen = (start: number, end: number) => end >= view.start && start <= view.end;

  pen.globalAlpha = on ? 0.9 : 0.62;
  pen.fillStyle = on ? INK.spanOn : INK.span;
  for (const span of row.line.spans) {
    if (seen(span.start, span.end)) bar(pen, x(span.start), x(span.end), top, deep, width);
  }
  pen.fillStyle = on ? INK.eventOn : INK.event;
  for (const spans of Object.values(row.line.streams)) {
    for (const span of spans) {
      if (span.mode !== 'event' || !seen(span.start, span.end)) continue;
      bar(pen, x(span.start), x(span.end), top, deep, width);
    }
  }
  pen.globalAlpha = 1;
  drawGaps(pen, scene, row.line, top, deep, width, x);
  for (const event of row.line.events) {
    const end = event.end ?? scene.now;
    if (!seen(event.start, end)) continue;
    pen.fillStyle = kindColour(event.kind);
    const left = Math.max(-2, x(event.start));
    pen.fillRect(left, top + deep - 6, Math.max(2.5, Math.min(width, x(end)) - left), 5);
  }
  for (const hold of row.line.holds) {
    if (!seen(hold.start, hold.end)) continue;
    pen.fillStyle = hold.kind === 'lock' ? INK.lock : INK.bookmark;
    const left = Math.max(-2, x(hold.start));
    pen.fillRect(left, top, Math.max(3, Math.min(width, x(hold.end)) - left), 4);
    if (left >= 0) {
      pen.beginPath();
      pen.moveTo(left, top);
      pen.lineTo(left + 9, top);
      pen.lineTo(left, top + 11);
      pen.closePath();
      pen.fill();
    }
  }
  if (scene.rows.length > 1) drawName(pen, row.name, on, top, deep);
}

function drawGaps(
  pen: CanvasRenderingContext2D,
  scene: Scene,
  line: Line,
  top: number,
  deep: number,
  width: number,
  x: Place,
): void {
  const hatch = hatching(pen);
  for (const gap of line.gaps) {
    const end = gap.end ?? scene.now;
    if (end < scene.view.start || gap.start > scene.view.end) continue;
    const left = Math.max(0, x(gap.start));
    const wide = Math.max(1.5, Math.min(width, x(end)) - left);
    pen.fillStyle = INK.gapBase;
    pen.fillRect(left, top, wide, deep);
    pen.fillStyle = hatch ?? INK.gap;
    pen.fillRect(left, top, wide, deep);
  }
}

let hatched: CanvasPattern | null | undefined;

/** Slanted lines, so that a gap is told from a span without its colour. */
function hatching(pen: CanvasRenderingContext2D): CanvasPattern | null {
  if (hatched !== undefined) return hatched;
  const tile = document.createElement('canvas');
  tile.width = 7;
  tile.height = 7;
  const brush = tile.getContext('2d');
  if (brush) {
    brush.strokeStyle = INK.gap;
    brush.lineWidth = 1.3;
    for (const shift of [-7, 0, 7]) {
      brush.beginPath();
      brush.moveTo(shift, 7);
      brush.lineTo(shift + 7, 0);
      brush.stroke();
    }
  }
  hatched = pen.createPattern(tile, 'repeat');
  return hatched;
}

function bar(
  pen: CanvasRenderingContext2D,
  from: number,
  to: number,
  top: number,
  deep: number,
  width: number,
): void {
  const left = Math.max(-4, from);
  const wide = Math.max(1.5, Math.min(width + 4, to) - left);
  rounded(pen, left, top, wide, deep, Math.min(4, wide / 2));
}

function rounded(
  pen: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  radius: number,
): void {
  pen.beginPath();
  pen.roundRect(x, y, width, height, radius);
  pen.fill();
}

function drawName(
  pen: CanvasRenderingContext2D,
  text: string,
  on: boolean,
  top: number,
  deep: number,
): void {
  pen.fillStyle = 'rgba(5,8,12,0.72)';
  const name = text.length > 26 ? `${text.slice(0, 25)}…` : text;
  const wide = pen.measureText(name).width + 14;
  const inset = deep > 20 ? 5 : 2;
  rounded(pen, 6, top + inset, wide, deep - 2 * inset, 4);
  pen.fillStyle = on ? '#ffffff' : INK.text;
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  pen.fillText(name, 13, top + deep / 2 + 0.5);
}

function drawRuler(
  pen: CanvasRenderingContext2D,
  view: View,
  width: number,
  height: number,
  x: Place,
): void {
  const { major, minor, step } = ticks(view, width);
  pen.fillStyle = INK.line;
  for (const ms of minor) pen.fillRect(Math.round(x(ms)), RULER - 5, 1, 5);
  pen.textBaseline = 'middle';
  for (const ms of major) {
    const at = Math.round(x(ms));
    const midnight = new Date(ms).getHours() + new Date(ms).getMinutes() === 0;
    pen.fillStyle = INK.major;
    pen.fillRect(at, RULER - (midnight ? 13 : 9), 1, midnight ? 13 : 9);
    pen.fillStyle =
      midnight && length(view) > DAY ? 'rgba(255,255,255,0.14)' : 'rgba(255,255,255,0.05)';
    pen.fillRect(at, RULER, 1, height - RULER - FOOT);
    const label =
      step >= DAY || (midnight && length(view) > 1.2 * DAY)
        ? dayLabel(ms)
        : clock(ms, { seconds: step < 60 * SECOND });
    const half = pen.measureText(label).width / 2;
    pen.textAlign = 'center';
    pen.fillStyle = midnight ? INK.text : INK.faint;
    pen.fillText(label, Math.min(width - half - 2, Math.max(half + 2, at)), 9);
  }
}

/** '23 Nov': the year is not said on a ruler. */
const dayLabel = (ms: number): string => sayDay(ms, 'short').replace(/[,\s]*(de )?\d{4}$/, '');

function drawSelection(pen: CanvasRenderingContext2D, span: Span, height: number, x: Place): void {
  const left = x(span.start);
  pen.fillStyle = INK.chosen;
  pen.fillRect(left, RULER - 4, Math.max(1, x(span.end) - left), height - RULER - 2);
}

function drawHead(pen: CanvasRenderingContext2D, at: number, height: number): void {
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
