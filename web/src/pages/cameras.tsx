/** All cameras in a list: state, streams, recording. */

import { createSignal, For, Show } from 'solid-js';
import type { Camera } from '../api/types';
import { Link } from '../app/router';
import { bits, t, tn } from '../i18n';
import { codecLabel, sizeOf, videoOf } from '../live/facts';
import { Snapshot } from '../live/snapshot';
import { toneOf } from '../live/tile';
import {
  cameraList,
  cameraStatus,
  failed,
  loaded,
  notRecorded,
  reloadCameras,
  stateOf,
} from '../state/cameras';
import { isAdministrator } from '../state/session';
import { Empty, Loading } from '../ui/controls';
import { Icon } from '../ui/icon';
import { explain } from '../ui/toast';

export function CamerasPage() {
  const [text, setText] = createSignal('');
  const found = () => {
    const wanted = text().trim().toLowerCase();
    return cameraList().filter(
      (camera) => !wanted || `${camera.name} ${camera.id}`.toLowerCase().includes(wanted),
    );
  };
  const online = () => cameraList().filter((one) => cameraStatus(one) === 'online').length;
  return (
    <div class="page">
      <div class="page-inner">
        <header class="page-head">
          <div class="grow">
            <h1>{t('cameras.title')}</h1>
            <p class="soft num">
              {tn('cameras.count', cameraList().length)} ·{' '}
              {t('cameras.online', { count: online() })}
            </p>
          </div>
          <Show when={cameraList().length > 5}>
            <div class="search">
              <Icon name="search" />
              <input
                class="input"
                type="search"
                aria-label={t('cameras.search')}
                placeholder={t('cameras.search')}
                value={text()}
                onInput={(event) => setText(event.currentTarget.value)}
              />
            </div>
          </Show>
          <Show when={isAdministrator()}>
            <Link class="btn primary" href="/cameras/add">
              <Icon name="plus" />
              {t('add.title')}
            </Link>
          </Show>
        </header>
        <Show when={loaded()} fallback={<NotLoaded />}>
          <Show
            when={cameraList().length > 0}
            fallback={
              <Empty icon="camera" title={t('live.empty.title')} lead={t('live.empty.lead')} />
            }
          >
            <Show
              when={found().length > 0}
              fallback={<p class="soft">{t('cameras.none', { text: text() })}</p>}
            >
              <ul class="camera-list">
                <For each={found()}>{(camera) => <Row camera={camera} />}</For>
              </ul>
            </Show>
          </Show>
        </Show>
      </div>
    </div>
  );
}

function NotLoaded() {
  return (
    <Show when={failed()} fallback={<Loading />}>
      <Empty icon="offline" title={explain(failed())} lead="">
        <button type="button" class="btn" onClick={() => void reloadCameras()}>
          {t('app.retry')}
        </button>
      </Empty>
    </Show>
  );
}

const unrecorded = (camera: Camera): string => {
  const why = notRecorded(camera);
  return why && `${t('live.notRecorded')}: ${why}`;
};

const recordingTone = { on: 'rec', failed: 'bad', waiting: '', off: '', planned: '' };

function Row(props: { camera: Camera }) {
  const status = () => cameraStatus(props.camera);
  const reason = () =>
    status() === 'online' || status() === 'disabled'
      ? unrecorded(props.camera)
      : (stateOf(props.camera.id, props.camera.streams[0]?.name ?? 'main')?.reason ?? '');
  const recorded = () => props.camera.streams.filter((stream) => stream.recording !== 'off');
  /** At events or by a calendar, nobody can tell from here whether it is recorded right now. */
  const sometimes = () => {
    const modes = recorded().map((stream) => stream.recording);
    return modes.includes('continuous') ? undefined : modes[0];
  };
  const recording = (): 'on' | 'waiting' | 'off' | 'failed' | 'planned' => {
    if (notRecorded(props.camera)) return 'failed';
    if (recorded().length === 0) return 'off';
    if (sometimes()) return 'planned';
    const online = recorded().some(
      ({ name }) => stateOf(props.camera.id, name)?.status === 'online',
    );
    return props.camera.enabled && online ? 'on' : 'waiting';
  };
  const badge = () => {
    const now = recording();
    return now === 'planned'
      ? t(`recording.mode.${sometimes() ?? 'event'}`)
      : t(`cameras.recording.${now}`);
  };
  return (
    <li>
      <Link class="camera-row" href={`/cameras/${props.camera.id}`}>
        <Snapshot camera={props.camera} live={status() === 'online'} />
        <div class="camera-row-name">
          <strong class="truncate">{props.camera.name}</strong>
          <span class="camera-row-state">
            <span class={`dot ${toneOf(status() as 'online')}`} />
            {status() === 'unknown' ? t('state.idle') : t(`state.${status() as 'online'}`)}
          </span>
          <Show when={reason()}>
            <span class="faint reason">{reason()}</span>
          </Show>
        </div>
        <div class="camera-row-streams">
          <For each={props.camera.streams}>
            {(stream) => {
              const state = () => stateOf(props.camera.id, stream.name);
              const track = () => videoOf(state());
              return (
                <span class="num">
                  <b>{stream.name}</b>
                  <Show when={track()} fallback={<span class="faint">–</span>}>
                    {(known) => (
                      <>
                        <span>{codecLabel(known().codec)}</span>
                        <span>{sizeOf(known())}</span>
                        <span class="faint">{bits(state()?.bitrate ?? 0)}</span>
                      </>
                    )}
                  </Show>
                </span>
              );
            }}
          </For>
        </div>
        <span
          class={`badge ${recordingTone[recording()]}`}
          title={notRecorded(props.camera) || undefined}
        >
          <Show when={recording() === 'on'}>
            <span class="rec-dot" />
          </Show>
          {badge()}
        </span>
        <Icon name="right" class="faint" />
      </Link>
    </li>
  );
}
