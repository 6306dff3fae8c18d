/** What each camera takes, how far back it reaches, and whether its promise will be kept. */

import { createResource, createSignal, For, Show } from 'solid-js';
import { listGaps, type StoredCamera, type StoredStream } from '../api/storage';
import { Link } from '../app/router';
import { bytes, dateTime, number, span as saySpan, t } from '../i18n';
import { causeWord } from '../playback/words';
import { cameraById } from '../state/cameras';
import { Dialog, Loading } from '../ui/controls';
import { Icon } from '../ui/icon';
import { Panel } from '../ui/panel';
import { explain } from '../ui/toast';

const WEEK_MS = 7 * 86_400_000;

export function CameraTable(props: { cameras: StoredCamera[] }) {
  const [gapsOf, setGapsOf] = createSignal<string>();
  return (
    <Panel title={t('storage.cameras')}>
      <div class="table-wrap">
        <table class="table num">
          <thead>
            <tr>
              <th>{t('storage.camera')}</th>
              <th>{t('storage.stream')}</th>
              <th class="right">{t('storage.size')}</th>
              <th class="right">{t('storage.perDay')}</th>
              <th>{t('system.recordings.oldest')}</th>
              <th class="right">{t('storage.promised')}</th>
              <th class="right">{t('storage.forecast')}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            <For each={props.cameras}>
              {(one) => (
                <>
                  <For each={one.streams} fallback={<Row camera={one} first onGaps={setGapsOf} />}>
                    {(stream, at) => (
                      <Row camera={one} stream={stream} first={at() === 0} onGaps={setGapsOf} />
                    )}
                  </For>
                  <Show when={one.warning}>
                    <tr class="under">
                      <td colSpan={8}>
                        <p class="notice" role="alert">
                          {one.warning}
                        </p>
                      </td>
                    </tr>
                  </Show>
                </>
              )}
            </For>
          </tbody>
        </table>
      </div>
      <Show when={gapsOf()}>
        {(camera) => <GapsDialog camera={camera()} onClose={() => setGapsOf(undefined)} />}
      </Show>
    </Panel>
  );
}

function Row(props: {
  camera: StoredCamera;
  stream?: StoredStream;
  first: boolean;
  onGaps: (camera: string) => void;
}) {
  const days = (value: number | null) =>
    value === null ? '–' : t('storage.days', { days: number(value, value < 10 ? 1 : 0) });
  return (
    <tr data-camera={props.camera.camera}>
      <td>
        <Show when={props.first}>
          <Link href={`/cameras/${props.camera.camera}`}>
            {cameraById(props.camera.camera)?.name ?? props.camera.camera}
          </Link>
        </Show>
      </td>
      <td class="nowrap">
        <Show when={props.stream} fallback="–">
          {(stream) => (
            <span class="row" title={stream().reason}>
              <span class={`dot ${stream().recording ? 'ok' : stream().reason ? 'bad' : ''}`} />
              {stream().stream}
              <span class="faint">{modeWord(stream().mode)}</span>
            </span>
          )}
        </Show>
        <Show when={props.stream?.reason}>
          <div class="soft">{props.stream?.reason}</div>
        </Show>
      </td>
      <td class="right nowrap">{bytes(props.stream?.bytes ?? 0)}</td>
      <td class="right nowrap">{bytes(props.stream?.bytes_per_day ?? 0)}</td>
      <td class="nowrap">{props.stream?.oldest ? dateTime(props.stream.oldest) : '–'}</td>
      <td class="right nowrap">{props.first ? days(props.camera.promised_days) : ''}</td>
      <td class="right nowrap">{props.first ? days(props.camera.forecast_days) : ''}</td>
      <td class="right">
        <Show when={props.first}>
          <button
            type="button"
            class="btn small quiet"
            onClick={() => props.onGaps(props.camera.camera)}
          >
            {t('storage.gaps')}
          </button>
        </Show>
      </td>
    </tr>
  );
}

const MODES = ['continuous', 'event', 'schedule', 'off'] as const;

const modeWord = (mode: string): string => {
  const known = MODES.find((one) => one === mode);
  return known ? t(`recording.mode.${known}`) : mode;
};

function GapsDialog(props: { camera: string; onClose: () => void }) {
  const now = Date.now();
  const [gaps] = createResource(
    () => props.camera,
    (camera) => listGaps(camera, now - WEEK_MS, now),
  );
  const newest = () => [...(gaps.latest ?? [])].sort((one, other) => other.start - one.start);
  return (
    <Dialog
      title={t('storage.gaps.title', { name: cameraById(props.camera)?.name ?? props.camera })}
      onClose={props.onClose}
    >
      <p class="soft">{t('storage.gaps.week')}</p>
      <Show when={!gaps.error} fallback={<p class="error-text">{explain(gaps.error)}</p>}>
        <Show when={gaps.latest} fallback={<Loading />}>
          <ul class="marks gap-list">
            <For each={newest()} fallback={<li class="soft">{t('storage.gaps.none')}</li>}>
              {(gap) => (
                <li>
                  <Link
                    class="row"
                    href={`/playback/${props.camera}?at=${Math.round(gap.start - 5000)}`}
                  >
                    <Icon name="warn" />
                    <span class="num">{dateTime(gap.start)}</span>
                    <span class="faint">{gap.stream ?? ''}</span>
                    <span class="num faint">{saySpan((gap.end ?? now) - gap.start)}</span>
                    <span class="grow">
                      {[causeWord(gap.cause), gap.detail].filter(Boolean).join(': ')}
                    </span>
                  </Link>
                </li>
              )}
            </For>
          </ul>
        </Show>
      </Show>
    </Dialog>
  );
}
