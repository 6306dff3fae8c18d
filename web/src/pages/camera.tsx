/** One camera: its live picture large, what is known of its streams, and what can be done with it. */

import { createSignal, For, type JSX, Show } from 'solid-js';
import { changeCamera, deleteCamera } from '../api/cameras';
import type { Camera, StreamConfig } from '../api/types';
import { Link, navigate } from '../app/router';
import { TriggerButton } from '../evidence/trigger';
import { bits, dateTime, number, t } from '../i18n';
import { audioOf, clockWords, codecLabel, sizeOf, videoOf } from '../live/facts';
import { fetchSnapshot } from '../live/snapshot';
import { LiveTile, toneOf } from '../live/tile';
import { cameraById, dropCamera, loaded, reloadCameras, stateOf } from '../state/cameras';
import { isAdministrator } from '../state/session';
import { Confirm, Empty, Loading, Segmented } from '../ui/controls';
import { Icon } from '../ui/icon';
import { toast, toastError } from '../ui/toast';
import { EditCameraDialog } from './camera-edit';
import { MasksDialog } from './recording/masks-dialog';
import { RecordingDialog } from './recording/recording-dialog';
import { streamTitle } from './stream-title';

export function CameraPage(props: { id: string }) {
  return (
    <Show
      when={cameraById(props.id)?.id}
      keyed
      fallback={
        <Show when={loaded()} fallback={<Loading />}>
          <div class="page">
            <Empty
              icon="camera"
              title={t('camera.notFound.title')}
              lead={t('camera.notFound.lead')}
            >
              <Link class="btn" href="/cameras">
                {t('cameras.title')}
              </Link>
            </Empty>
          </div>
        </Show>
      }
    >
      {(id) => <Loaded camera={cameraById(id) ?? gone(id)} />}
    </Show>
  );
}

/** Stands in for the moment between a camera's removal and this page's. */
const gone = (id: string): Camera => ({
  id,
  name: id,
  enabled: false,
  username: '',
  has_password: false,
  streams: [],
  masks: [],
  onvif: '',
  state: {},
});

function Loaded(props: { camera: Camera }) {
  const [want, setWant] = createSignal<'main' | 'sub'>('main');
  const [editing, setEditing] = createSignal(false);
  const [planning, setPlanning] = createSignal(false);
  const [masking, setMasking] = createSignal(false);
  const [deleting, setDeleting] = createSignal(false);
  const [busy, setBusy] = createSignal(false);
  let view: HTMLDivElement | undefined;

  const act = async (work: () => Promise<void>) => {
    if (busy()) return;
    setBusy(true);
    try {
      await work();
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };
  const toggle = () =>
    act(async () => {
      const { id, name, enabled } = props.camera;
      await changeCamera(id, { enabled: !enabled });
      await reloadCameras();
      toast(t(enabled ? 'camera.disabled.toast' : 'camera.enabled.toast', { name }), 'ok');
    });
  const remove = () =>
    act(async () => {
      const { id, name } = props.camera;
      await deleteCamera(id);
      navigate('/cameras', { replace: true });
      dropCamera(id);
      await reloadCameras();
      toast(t('camera.deleted', { name }), 'ok');
    });
  const savePicture = () =>
    act(async () => {
      const picture = await fetchSnapshot(props.camera.id, want());
      const link = document.createElement('a');
      link.href = URL.createObjectURL(picture);
      link.download = `${props.camera.id}-${new Date().toISOString().replace(/[:.]/g, '-')}.jpg`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 5000);
    });
  const fullscreen = () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void view?.requestFullscreen?.().catch(() => undefined);
  };

  return (
    <div class="page">
      <div class="page-inner wide">
        <header class="page-head">
          <Link
            class="btn quiet icon"
            href="/cameras"
            aria-label={`${t('app.back')}: ${t('cameras.title')}`}
          >
            <Icon name="left" />
          </Link>
          <div class="grow page-title">
            <h1 class="truncate">{props.camera.name}</h1>
            <span class="faint mono">{props.camera.id}</span>
          </div>
          <Link class="btn" href={`/playback/${props.camera.id}`}>
            <Icon name="history" />
            {t('camera.playback')}
          </Link>
          <Show when={isAdministrator()}>
            <button type="button" class="btn" onClick={() => setEditing(true)}>
              <Icon name="pencil" />
              {t('app.edit')}
            </button>
          </Show>
        </header>
        <div class="camera-layout">
          <div class="camera-main">
            {/* biome-ignore lint/a11y/noStaticElementInteractions: a button inside does the same */}
            <div
              class="tile camera-view"
              ref={(element) => {
                view = element;
              }}
              onDblClick={fullscreen}
            >
              <LiveTile
                camera={props.camera}
                want={want()}
                active
                roomy
                actions={
                  <>
                    <TriggerButton camera={props.camera} class="tile-btn" />
                    <button
                      type="button"
                      class="tile-btn"
                      aria-label={t('live.fullscreen')}
                      title={t('live.fullscreen')}
                      onClick={fullscreen}
                    >
                      <Icon name="expand" />
                    </button>
                  </>
                }
              />
            </div>
            <div class="row camera-tools">
              <Show when={props.camera.streams.length > 1}>
                <Segmented
                  label={t('camera.source')}
                  value={want()}
                  options={[
                    { value: 'main', label: t('camera.source.main') },
                    { value: 'sub', label: t('camera.source.sub') },
                  ]}
                  onChange={setWant}
                />
              </Show>
              <span class="grow" />
              <button type="button" class="btn quiet" onClick={() => void savePicture()}>
                <Icon name="image" />
                {t('camera.snapshot')}
              </button>
              <Show when={isAdministrator()}>
                <button type="button" class="btn quiet" onClick={() => setPlanning(true)}>
                  <Icon name="schedule" />
                  {t('recording.open')}
                </button>
                <button type="button" class="btn quiet" onClick={() => setMasking(true)}>
                  <Icon name="mask" />
                  {t('masks.open')}
                </button>
                <button
                  type="button"
                  class="btn quiet"
                  disabled={busy()}
                  onClick={() => void toggle()}
                >
                  <Icon name="power" />
                  {props.camera.enabled ? t('camera.disable') : t('camera.enable')}
                </button>
                <button type="button" class="btn quiet is-danger" onClick={() => setDeleting(true)}>
                  <Icon name="trash" />
                  {t('app.delete')}
                </button>
              </Show>
            </div>
          </div>
          <div class="camera-side">
            <For each={props.camera.streams}>
              {(stream) => <StreamPanel camera={props.camera} stream={stream} />}
            </For>
          </div>
        </div>
      </div>
      <Show when={editing()}>
        <EditCameraDialog camera={props.camera} onClose={() => setEditing(false)} />
      </Show>
      <Show when={planning()}>
        <RecordingDialog camera={props.camera} onClose={() => setPlanning(false)} />
      </Show>
      <Show when={masking()}>
        <MasksDialog camera={props.camera} onClose={() => setMasking(false)} />
      </Show>
      <Show when={deleting()}>
        <Confirm
          title={t('camera.delete.title', { name: props.camera.name })}
          lead={t('camera.delete.lead')}
          action={t('camera.delete')}
          busy={busy()}
          onYes={() => void remove()}
          onClose={() => setDeleting(false)}
        />
      </Show>
    </div>
  );
}

function StreamPanel(props: { camera: Camera; stream: StreamConfig }) {
  const state = () => stateOf(props.camera.id, props.stream.name);
  const status = () => (props.camera.enabled ? (state()?.status ?? 'connecting') : 'disabled');
  const online = () => status() === 'online' || status() === 'stalled';
  const video = () => videoOf(state());
  const audio = () => audioOf(state());
  return (
    <section class="panel">
      <div class="panel-head">
        <h2 class="grow">{streamTitle(props.stream.name)}</h2>
        <span class="camera-row-state">
          <span class={`dot ${toneOf(status())}`} />
          {t(`state.${status()}`)}
        </span>
      </div>
      <div class="panel-body">
        <Show when={state()?.reason && !online()}>
          <p class="notice">{state()?.reason}</p>
        </Show>
        <Show when={online() && state()?.not_recorded}>
          {(why) => (
            <p class="notice bad">
              <strong>{t('live.notRecorded')}</strong>: {why()}
            </p>
          )}
        </Show>
        <dl class="facts">
          <Fact label={t('camera.codec')}>{codecLabel(video()?.codec ?? '') || '–'}</Fact>
          <Fact label={t('camera.resolution')}>{sizeOf(video()) || '–'}</Fact>
          <Fact label={t('camera.rate')}>
            {online() ? number(state()?.frame_rate ?? 0, 1) : '–'}
          </Fact>
          <Fact label={t('camera.bitrate')}>{online() ? bits(state()?.bitrate ?? 0) : '–'}</Fact>
          <Fact label={t('camera.audio')}>
            {audio() ? codecLabel(audio()?.codec ?? '') : t('app.no')}
          </Fact>
          <Fact label={t('camera.transport')}>{props.stream.transport.toUpperCase()}</Fact>
          <Fact label={t('camera.recording')}>{t(`recording.mode.${props.stream.recording}`)}</Fact>
          <Fact label={t('camera.clock')}>{clockWords(state()?.clock_offset_ms)}</Fact>
          <Fact label={t('camera.lost')}>{number(state()?.packets_lost ?? 0)}</Fact>
          <Fact label={t('camera.reconnects')}>{number(state()?.reconnects ?? 0)}</Fact>
          <Fact label={t('camera.since')} both>
            {sinceWords(state()?.since)}
          </Fact>
        </dl>
        <Show when={props.stream.url}>
          <p class="address mono" title={props.stream.url}>
            {props.stream.url}
          </p>
        </Show>
      </div>
    </section>
  );
}

const sinceWords = (since: string | undefined): string => {
  const ms = Date.parse(since ?? '');
  return Number.isFinite(ms) && ms > 0 ? dateTime(ms) : '–';
};

function Fact(props: { label: string; both?: boolean; children: JSX.Element }) {
  return (
    <div classList={{ both: props.both ?? false }}>
      <dt>{props.label}</dt>
      <dd class="num">{props.children}</dd>
    </div>
  );
}
