/** How much of a month was recorded of what should have been, and whose fault the rest is. */

import { createResource, createSignal, For, Show } from 'solid-js';
import { type Coverage, getCoverage } from '../api/storage';
import { language, number, span as saySpan, t } from '../i18n';
import { causeWord } from '../playback/words';
import { cameraById } from '../state/cameras';
import { Icon } from '../ui/icon';
import { Panel } from '../ui/panel';
import { explain } from '../ui/toast';

/** '2026-11' of the month `by` months from that of `key`. */
export function shiftMonth(key: string, by: number): string {
  const [year, month] = key.split('-').map(Number) as [number, number];
  return new Date(Date.UTC(year, month - 1 + by, 1)).toISOString().slice(0, 7);
}

/** Never said to be 100 % while anything is missing. */
export function percentWord(one: Coverage): string {
  if (one.expected_s <= 0) return '–';
  const share = (one.recorded_s / one.expected_s) * 100;
  if (one.recorded_s >= one.expected_s) return `${number(100)} %`;
  return `${number(Math.min(99.999, Math.floor(share * 1000) / 1000), 3)} %`;
}

export function CoveragePanel() {
  const [month, setMonth] = createSignal(new Date().toISOString().slice(0, 7));
  const [rows] = createResource(month, getCoverage);
  const name = () =>
    new Intl.DateTimeFormat(language(), { month: 'long', year: 'numeric', timeZone: 'UTC' }).format(
      Date.parse(`${month()}-01T00:00:00Z`),
    );
  const isNow = () => month() >= new Date().toISOString().slice(0, 7);
  return (
    <Panel
      title={t('storage.coverage')}
      tools={
        <div class="row">
          <button
            type="button"
            class="btn small quiet icon"
            aria-label={t('playback.previousMonth')}
            onClick={() => setMonth(shiftMonth(month(), -1))}
          >
            <Icon name="left" />
          </button>
          <span class="num">{name()}</span>
          <button
            type="button"
            class="btn small quiet icon"
            aria-label={t('playback.nextMonth')}
            disabled={isNow()}
            onClick={() => setMonth(shiftMonth(month(), 1))}
          >
            <Icon name="right" />
          </button>
        </div>
      }
    >
      <Show when={!rows.error} fallback={<p class="error-text">{explain(rows.error)}</p>}>
        <div class="table-wrap">
          <table class="table num">
            <thead>
              <tr>
                <th>{t('storage.camera')}</th>
                <th>{t('storage.stream')}</th>
                <th class="right">{t('storage.coverage.share')}</th>
                <th class="right">{t('storage.coverage.expected')}</th>
                <th class="right">{t('storage.coverage.missed')}</th>
                <th>{t('storage.coverage.causes')}</th>
              </tr>
            </thead>
            <tbody>
              <For
                each={rows.latest ?? []}
                fallback={
                  <tr>
                    <td colSpan={6} class="soft">
                      {t('storage.coverage.none')}
                    </td>
                  </tr>
                }
              >
                {(one) => (
                  <tr>
                    <td>{cameraById(one.camera)?.name ?? one.camera}</td>
                    <td>{one.stream}</td>
                    <td class="right nowrap">
                      <strong>{percentWord(one)}</strong>
                    </td>
                    <td class="right nowrap">{saySpan(one.expected_s * 1000)}</td>
                    <td class="right nowrap">
                      {saySpan(Math.max(0, one.expected_s - one.recorded_s) * 1000)}
                    </td>
                    <td class="roomy">{causes(one)}</td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
    </Panel>
  );
}

const causes = (one: Coverage): string =>
  Object.entries(one.by_cause)
    .filter(([, seconds]) => seconds > 0)
    .sort(([, first], [, second]) => second - first)
    .map(([cause, seconds]) => `${causeWord(cause)} ${saySpan(seconds * 1000)}`)
    .join(', ') || '–';
