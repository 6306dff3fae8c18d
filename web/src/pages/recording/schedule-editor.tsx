/** The week of a stream: half hours painted with a mode, by pointer or by keys. */

import { createMemo, createSignal, For, type JSX } from 'solid-js';
import type { Schedule } from '../../api/types';
import { language, t } from '../../i18n';
import { Field, Segmented } from '../../ui/controls';
import {
  CELL_MINUTES,
  CELLS,
  type Cell,
  minuteWord,
  modeAt,
  paintBetween,
  ROWS,
  type SlotMode,
} from './week';

const BRUSHES: readonly SlotMode[] = ['continuous', 'event', 'off'];
const rows = Array.from({ length: ROWS }, (_, row) => row);
const columns = Array.from({ length: CELLS }, (_, column) => column);
const HOURS = [0, 6, 12, 18, 24];

/** Names of the zones this browser knows; it may know none. */
const zones = (): string[] =>
  typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [];

export interface ScheduleDraft {
  schedule: Schedule;
  /** As typed. */
  holidays: string;
}

export function ScheduleEditor(props: {
  draft: ScheduleDraft;
  error: string | undefined;
  onChange: (draft: ScheduleDraft) => void;
}) {
  const [brush, setBrush] = createSignal<SlotMode>('continuous');
  const change = (part: Partial<Schedule>) =>
    props.onChange({ ...props.draft, schedule: { ...props.draft.schedule, ...part } });
  const list = `zones-${Math.random().toString(36).slice(2)}`;
  return (
    <>
      <div class="row switches">
        <span class="label">{t('schedule.brush')}</span>
        <Segmented
          label={t('schedule.brush')}
          value={brush()}
          options={BRUSHES.map((mode) => ({ value: mode, label: t(`recording.mode.${mode}`) }))}
          onChange={setBrush}
        />
      </div>
      <Week
        slots={props.draft.schedule.slots}
        brush={brush()}
        onPaint={(from, to) =>
          change({ slots: paintBetween(props.draft.schedule.slots, from, to, brush()) })
        }
      />
      <p class="hint">{t('schedule.hint')}</p>
      <div class="two">
        <Field
          label={t('schedule.zone')}
          name="zone"
          hint={t('schedule.zone.hint')}
          list={list}
          value={props.draft.schedule.zone}
          onInput={(event) => change({ zone: event.currentTarget.value.trim() })}
        />
        <Field
          label={t('schedule.holidays')}
          name="holidays"
          hint={t('schedule.holidays.hint')}
          error={props.error}
          value={props.draft.holidays}
          onInput={(event) =>
            props.onChange({ ...props.draft, holidays: event.currentTarget.value })
          }
        />
      </div>
      <datalist id={list}>
        <For each={zones()}>{(zone) => <option value={zone} />}</For>
      </datalist>
    </>
  );
}

function Week(props: {
  slots: Schedule['slots'];
  brush: SlotMode;
  onPaint: (from: Cell, to: Cell) => void;
}) {
  const [focus, setFocus] = createSignal<Cell>({ row: 0, column: 0 });
  const [from, setFrom] = createSignal<Cell>();
  const [to, setTo] = createSignal<Cell>();
  let grid: HTMLDivElement | undefined;

  const dayName = createMemo(() => {
    const form = new Intl.DateTimeFormat(language(), { weekday: 'short', timeZone: 'UTC' });
    // 5 January 1970 was a Monday.
    return (row: number) =>
      row === 7 ? t('schedule.holiday') : form.format(Date.UTC(1970, 0, 5 + row));
  });
  const under = (row: number, column: number): boolean => {
    const [one, other] = [from(), to()];
    if (!one || !other) return false;
    const between = (value: number, a: number, b: number) =>
      Math.min(a, b) <= value && value <= Math.max(a, b);
    return between(row, one.row, other.row) && between(column, one.column, other.column);
  };
  const mode = (row: number, column: number): SlotMode =>
    under(row, column) ? props.brush : modeAt(props.slots, row, column * CELL_MINUTES);

  const cellAt = (event: PointerEvent): Cell | undefined => {
    const found = document.elementFromPoint(event.clientX, event.clientY);
    const cell = found instanceof HTMLElement ? found.dataset : undefined;
    if (!cell?.row || !cell.column) return undefined;
    return { row: Number(cell.row), column: Number(cell.column) };
  };
  const press = (event: PointerEvent) => {
    const cell = event.button === 0 ? cellAt(event) : undefined;
    if (!cell) return;
    grid?.setPointerCapture(event.pointerId);
    setFrom(cell);
    setTo(cell);
    setFocus(cell);
  };
  const drag = (event: PointerEvent) => {
    const cell = from() && cellAt(event);
    if (cell) setTo(cell);
  };
  const lift = () => {
    const [one, other] = [from(), to()];
    setFrom(undefined);
    setTo(undefined);
    if (one && other) props.onPaint(one, other);
  };
  const cancel = () => {
    setFrom(undefined);
    setTo(undefined);
  };

  const steps: Record<string, [number, number]> = {
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
  };
  const keys: JSX.EventHandler<HTMLDivElement, KeyboardEvent> = (event) => {
    const at = focus();
    if (event.key === ' ' || event.key === 'Enter') {
      event.preventDefault();
      props.onPaint(at, at);
      return;
    }
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const cell = {
      row: Math.min(ROWS - 1, Math.max(0, at.row + step[0])),
      column: Math.min(CELLS - 1, Math.max(0, at.column + step[1])),
    };
    if (event.shiftKey) props.onPaint(at, cell);
    setFocus(cell);
    grid?.querySelector<HTMLElement>(cellName(cell))?.focus();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the cells inside are buttons
    <div
      class="week"
      ref={(element) => {
        grid = element;
      }}
      onPointerDown={press}
      onPointerMove={drag}
      onPointerUp={lift}
      onPointerCancel={cancel}
      onKeyDown={keys}
    >
      <For each={rows}>
        {(row) => (
          <>
            <span class="week-day">{dayName()(row)}</span>
            <div class="week-row">
              <For each={columns}>
                {(column) => (
                  <button
                    type="button"
                    data-row={row}
                    data-column={column}
                    data-mode={mode(row, column)}
                    tabIndex={focus().row === row && focus().column === column ? 0 : -1}
                    aria-label={t('schedule.cell', {
                      day: dayName()(row),
                      time: minuteWord(column * CELL_MINUTES),
                      mode: t(`recording.mode.${mode(row, column)}`),
                    })}
                    onFocus={() => setFocus({ row, column })}
                    onClick={(event) => {
                      // Without a pointer, as screen readers press.
                      if (event.detail === 0) props.onPaint({ row, column }, { row, column });
                    }}
                  />
                )}
              </For>
            </div>
          </>
        )}
      </For>
      <div class="week-hours num" aria-hidden="true">
        <For each={HOURS}>{(hour) => <span>{minuteWord(hour * 60)}</span>}</For>
      </div>
    </div>
  );
}

const cellName = (cell: Cell): string => `[data-row="${cell.row}"][data-column="${cell.column}"]`;
