/** The picture of a camera with its masks: corners are set, moved and taken away. */

import { createSignal, For, Index, type JSX, Show } from 'solid-js';
import type { Mask } from '../../api/types';
import { t } from '../../i18n';
import {
  clampPoint,
  dropCorner,
  inside,
  MOST_POINTS,
  moveCorner,
  near,
  type Point,
  pointAt,
  splitSide,
  svgPoints,
} from './polygon';

const STEP = 0.01;
const steps: Record<string, Point> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
};

interface BoardProps {
  masks: readonly Mask[];
  chosen: number | undefined;
  /** The corners of a mask that is being drawn, else undefined. */
  drawing: readonly Point[] | undefined;
  picture: string | undefined;
  /** Width by height of the picture. */
  ratio: number;
  onChoose: (index: number | undefined) => void;
  onChange: (index: number, mask: Mask) => void;
  onDraw: (points: Point[]) => void;
  /** The polygon is closed. */
  onClose: () => void;
}

export function MaskBoard(props: BoardProps) {
  const [cursor, setCursor] = createSignal<Point>();
  let board: HTMLDivElement | undefined;

  const place = (event: PointerEvent): Point =>
    board ? pointAt(event.clientX, event.clientY, board.getBoundingClientRect()) : [0, 0];

  const set = (point: Point) => {
    const drawn = props.drawing ?? [];
    const first = drawn[0];
    const size = board?.getBoundingClientRect();
    if (first && drawn.length >= 3 && size && near(first, point, size.width, size.height)) {
      props.onClose();
    } else if (drawn.length < MOST_POINTS) props.onDraw([...drawn, point]);
  };
  const press = (event: PointerEvent) => {
    if (event.button !== 0 || (event.target as HTMLElement).closest('button')) return;
    const point = place(event);
    if (props.drawing) {
      setCursor(undefined);
      set(point);
      return;
    }
    const found = props.masks.findLastIndex((mask) => inside(point, mask.points));
    props.onChoose(found < 0 ? undefined : found);
  };

  const keys: JSX.EventHandler<HTMLDivElement, KeyboardEvent> = (event) => {
    const drawn = props.drawing;
    if (!drawn || (event.target as HTMLElement).closest('button')) return;
    const step = steps[event.key];
    if (step) {
      const [x, y] = cursor() ?? drawn.at(-1) ?? [0.5, 0.5];
      setCursor(clampPoint([x + step[0] * 2, y + step[1] * 2]));
    } else if (event.key === ' ') set(cursor() ?? [0.5, 0.5]);
    else if (event.key === 'Enter') props.onClose();
    else if (event.key === 'Backspace') props.onDraw(drawn.slice(0, -1));
    else return;
    event.preventDefault();
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: a picture to draw on has no element of its own
    <div
      class="mask-board"
      role="group"
      aria-label={t('masks.board')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it is drawn on with the keys too
      tabIndex={0}
      style={{ 'aspect-ratio': String(props.ratio) }}
      ref={(element) => {
        board = element;
      }}
      onPointerDown={press}
      onKeyDown={keys}
    >
      <Show when={props.picture}>
        {(source) => <img src={source()} alt="" draggable={false} />}
      </Show>
      <svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
        <For each={props.masks}>
          {(mask, at) => (
            <polygon
              points={svgPoints(mask.points)}
              classList={{ chosen: at() === props.chosen && !props.drawing }}
            />
          )}
        </For>
        <Show when={props.drawing}>{(drawn) => <polyline points={svgPoints(drawn())} />}</Show>
      </svg>
      <Show
        when={props.drawing}
        fallback={<Corners {...props} place={place} index={props.chosen ?? -1} />}
      >
        {(drawn) => (
          <>
            <Index each={drawn()}>{(point) => <span class="mask-dot" style={at(point())} />}</Index>
            <Show when={cursor()}>
              {(point) => <span class="mask-dot cursor" style={at(point())} />}
            </Show>
          </>
        )}
      </Show>
    </div>
  );
}

const at = ([x, y]: Point): JSX.CSSProperties => ({ left: `${x * 100}%`, top: `${y * 100}%` });

function Corners(props: BoardProps & { index: number; place: (event: PointerEvent) => Point }) {
  const mask = () => props.masks[props.index];
  const change = (make: (mask: Mask) => Mask) => {
    const found = mask();
    if (found) props.onChange(props.index, make(found));
  };
  const keys = (event: KeyboardEvent, corner: number) => {
    const [x, y] = mask()?.points[corner] ?? [0, 0];
    const step = steps[event.key];
    if (step) change((one) => moveCorner(one, corner, [x + step[0], y + step[1]]));
    else if (event.key === 'Delete' || event.key === 'Backspace')
      change((one) => dropCorner(one, corner));
    else if (event.key === 'Insert' || event.key === '+') change((one) => splitSide(one, corner));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <Index each={mask()?.points ?? []}>
      {(point, corner) => (
        <button
          type="button"
          class="mask-point"
          style={at(point())}
          aria-label={t('masks.point', { count: corner + 1 })}
          title={t('masks.point.hint')}
          onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
          onPointerMove={(event) => {
            if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
            const to = props.place(event);
            change((one) => moveCorner(one, corner, to));
          }}
          onDblClick={() => change((one) => splitSide(one, corner))}
          onKeyDown={(event) => keys(event, corner)}
        />
      )}
    </Index>
  );
}
