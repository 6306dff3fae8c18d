/** Choose a day; days with footage carry a dot. */

import { createEffect, createResource, createSignal, For, Show } from 'solid-js';
import { listDays } from '../api/recordings';
import { language, day as sayDay, t } from '../i18n';
import { onOutside } from '../ui/controls';
import { Icon } from '../ui/icon';
import { dateKey, monthGrid } from './timeline';

interface CalendarProps {
  camera: string;
  /** Local midnight of the chosen day. */
  day: number;
  onPick: (day: number) => void;
}

export function DayPicker(props: CalendarProps) {
  const [open, setOpen] = createSignal(false);
  const [month, setMonth] = createSignal(props.day);
  let place: HTMLDivElement | undefined;
  onOutside(
    () => place,
    open,
    () => setOpen(false),
  );
  createEffect(() => setMonth(props.day));

  const weeks = () => monthGrid(month(), language() === 'en' ? 1 : 0);
  const [marked] = createResource(
    () => open() && { camera: props.camera, weeks: weeks() },
    async ({ camera, weeks }) => {
      const days = weeks.flat();
      return listDays(camera, dateKey(days[0] ?? 0), dateKey(days.at(-1) ?? 0)).catch(
        () => new Set<string>(),
      );
    },
  );

  const shift = (days: number) => {
    const date = new Date(props.day);
    date.setDate(date.getDate() + days);
    props.onPick(date.getTime());
  };
  const turn = (by: number) => {
    const date = new Date(month());
    date.setDate(1);
    date.setMonth(date.getMonth() + by);
    setMonth(date.getTime());
  };
  const today = () => dateKey(Date.now());
  const isFuture = (ms: number) => ms > Date.now();
  const weekday = (ms: number) =>
    new Intl.DateTimeFormat(language(), { weekday: 'narrow' }).format(ms);
  const monthName = () =>
    new Intl.DateTimeFormat(language(), { month: 'long', year: 'numeric' }).format(month());

  return (
    <div
      class="day-picker"
      ref={(element) => {
        place = element;
      }}
    >
      <button
        type="button"
        class="btn quiet icon"
        aria-label={t('playback.previousDay')}
        title={t('playback.previousDay')}
        onClick={() => shift(-1)}
      >
        <Icon name="left" />
      </button>
      <button
        type="button"
        class="btn day-button"
        aria-haspopup="dialog"
        aria-expanded={open()}
        onClick={() => setOpen(!open())}
      >
        <Icon name="calendar" />
        <span class="num">{sayDay(props.day)}</span>
      </button>
      <button
        type="button"
        class="btn quiet icon"
        aria-label={t('playback.nextDay')}
        title={t('playback.nextDay')}
        disabled={dateKey(props.day) >= today()}
        onClick={() => shift(1)}
      >
        <Icon name="right" />
      </button>
      <Show when={open()}>
        <div class="menu calendar" role="dialog" aria-label={t('playback.date')}>
          <div class="calendar-head">
            <button
              type="button"
              class="btn quiet small icon"
              aria-label={t('playback.previousMonth')}
              onClick={() => turn(-1)}
            >
              <Icon name="left" />
            </button>
            <strong>{monthName()}</strong>
            <button
              type="button"
              class="btn quiet small icon"
              aria-label={t('playback.nextMonth')}
              onClick={() => turn(1)}
            >
              <Icon name="right" />
            </button>
          </div>
          <div class="calendar-grid">
            <For each={weeks()[0]}>{(ms) => <span class="weekday">{weekday(ms)}</span>}</For>
            <For each={weeks().flat()}>
              {(ms) => (
                <button
                  type="button"
                  disabled={isFuture(ms)}
                  aria-current={dateKey(ms) === dateKey(props.day) ? 'date' : undefined}
                  aria-label={`${sayDay(ms)}${marked()?.has(dateKey(ms)) ? `, ${t('playback.hasFootage')}` : ''}`}
                  classList={{
                    outside: new Date(ms).getMonth() !== new Date(month()).getMonth(),
                    marked: marked()?.has(dateKey(ms)) ?? false,
                    today: dateKey(ms) === today(),
                  }}
                  onClick={() => {
                    setOpen(false);
                    props.onPick(ms);
                  }}
                >
                  {new Date(ms).getDate()}
                </button>
              )}
            </For>
          </div>
        </div>
      </Show>
    </div>
  );
}
