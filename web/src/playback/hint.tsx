/** What is told of the moment under the pointer: its time, a small picture, and what lies there. */

import { createEffect, createSignal, For, on, onCleanup, onMount, Show } from 'solid-js';
import { clock, day as sayDay, span as saySpan, t } from '../i18n';
import type { Line } from './footage';
import { cellAt, type Sheet, strips } from './strips';
import type { Span } from './timeline';
import type { Pointed } from './timeline-view';
import { causeWord, kindWord } from './words';

/** Sheets not at hand are fetched once the hand rests a little. */
const WAIT_MS = 90;

interface HintProps {
  at: Pointed;
  camera: string;
  line: Line | undefined;
  width: number;
  /** Milliseconds to either side that count as there. */
  tolerance: number;
}

export function Hint(props: HintProps) {
  const [wide, setWide] = createSignal(176);
  let box: HTMLDivElement | undefined;
  const left = () =>
    Math.max(0, Math.min(props.width - wide(), Math.round(props.at.x - wide() / 2)));
  onMount(() => {
    const observer = new ResizeObserver(() => setWide(box?.offsetWidth ?? 176));
    if (box) observer.observe(box);
    onCleanup(() => observer.disconnect());
  });
  return (
    <div
      class="timeline-hint"
      aria-hidden="true"
      style={{ left: `${left()}px` }}
      ref={(element) => {
        box = element;
      }}
    >
      <SmallPicture camera={props.camera} ms={props.at.ms} recorded={props.line?.spans ?? []} />
      <strong class="num">{clock(props.at.ms)}</strong>
      <span class="faint">{sayDay(props.at.ms, 'short')}</span>
      <For each={marksAt(props.line, props.at.ms, props.tolerance)}>
        {(text) => <span class="hint-mark">{text}</span>}
      </For>
    </div>
  );
}

/** In words what lies at `ms`, give or take `tolerance`: at most four lines. */
export function marksAt(line: Line | undefined, ms: number, tolerance: number): string[] {
  if (!line) return [];
  const there = (start: number, end: number | null) =>
    ms >= start - tolerance && ms <= (end ?? Date.now()) + tolerance;
  const found: string[] = [];
  for (const gap of line.gaps) {
    if (!there(gap.start, gap.end)) continue;
    const lasts = saySpan((gap.end ?? Date.now()) - gap.start);
    const words = t('gap.hint', { cause: causeWord(gap.cause), lasts });
    found.push(gap.detail ? `${words}: ${gap.detail}` : words);
  }
  for (const event of line.events) {
    if (!there(event.start, event.end)) continue;
    const many = event.count && event.count > 1 ? ` × ${event.count}` : '';
    found.push(`${kindWord(event.kind)}${event.label ? `: ${event.label}` : ''}${many}`);
  }
  for (const hold of line.holds) {
    if (there(hold.start, hold.end)) found.push(`${t(`hold.${hold.kind}`)}: ${hold.reason}`);
  }
  return found.slice(0, 4);
}

function SmallPicture(props: { camera: string; ms: number; recorded: readonly Span[] }) {
  const [shown, setShown] = createSignal(false);
  let canvas: HTMLCanvasElement | undefined;
  let latest = 0;

  createEffect(
    on(
      () => [props.camera, props.ms] as const,
      ([camera, ms]) => {
        latest += 1;
        const mine = latest;
        const show = async () => {
          const sheet = await strips.at(camera, ms);
          if (mine === latest) setShown(paint(canvas, sheet, ms, props.recorded));
        };
        const timer = setTimeout(() => void show(), strips.has(camera, ms) ? 0 : WAIT_MS);
        onCleanup(() => clearTimeout(timer));
      },
    ),
  );
  return (
    <>
      <canvas
        class="hint-picture"
        hidden={!shown()}
        data-preview={shown() ? 'yes' : 'no'}
        ref={(element) => {
          canvas = element;
        }}
      />
      <Show when={!shown()}>
        <span class="hint-none" />
      </Show>
    </>
  );
}

/** Paint the small picture of `ms`; false where there is none. */
function paint(
  canvas: HTMLCanvasElement | undefined,
  sheet: Sheet | undefined,
  ms: number,
  recorded: readonly Span[],
): boolean {
  const cell = sheet && cellAt(sheet.strip, ms, recorded);
  const pen = canvas?.getContext('2d');
  if (!cell || !canvas || !pen) return false;
  // The sheet itself says how large its parts are.
  const width = Math.floor(sheet.picture.width / sheet.strip.columns);
  const height = Math.floor(sheet.picture.height / sheet.strip.rows);
  canvas.width = width;
  canvas.height = height;
  pen.drawImage(
    sheet.picture,
    cell.column * width,
    cell.row * height,
    width,
    height,
    0,
    0,
    width,
    height,
  );
  return true;
}
