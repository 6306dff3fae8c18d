/** One camera on the screen: picture, name, state, delay, and what to say when there is none. */

import { createEffect, createSignal, type JSX, onCleanup, onMount, Show } from 'solid-js';
import type { Camera } from '../api/types';
import { number, t } from '../i18n';
import { notRecorded, stateOf } from '../state/cameras';
import { now, watched } from '../state/page';
import { Icon, type IconName } from '../ui/icon';
import { codecLabel, videoOf } from './facts';
import type { Want } from './ladder';
import { playerPorts } from './open';
import { LivePlayer, type PlayerState, type StreamView, type View } from './player';

interface TileProps {
  camera: Camera;
  want: Want;
  active: boolean;
  /** Room for details: false in small tiles. */
  roomy: boolean;
  actions?: JSX.Element;
}

export function LiveTile(props: TileProps) {
  let host: HTMLDivElement | undefined;
  let still: HTMLCanvasElement | undefined;
  let player: LivePlayer | undefined;
  const [view, setView] = createSignal<View>();

  const streams = (): StreamView[] =>
    props.camera.streams.map(({ name }) => {
      const state = stateOf(props.camera.id, name);
      return {
        stream: name,
        codec: videoTrack(props.camera.id, name)?.codec,
        status: state?.status,
        reason: state?.reason ?? '',
      };
    });

  onMount(() => {
    if (!host || !still) return;
    player = new LivePlayer(host, still, playerPorts(props.camera.id, setView));
    createEffect(() =>
      player?.update({
        streams: streams(),
        want: props.want,
        active: props.active && watched(),
        enabled: props.camera.enabled,
      }),
    );
  });
  onCleanup(() => player?.close());

  const state = (): PlayerState => view()?.state ?? 'idle';
  return (
    <div
      class="tile-body"
      data-camera={props.camera.id}
      data-state={state()}
      data-transport={view()?.rung?.transport}
      data-stream={view()?.rung?.stream}
      data-delay-ms={delayText(view())}
    >
      <canvas
        class="tile-still"
        ref={(element) => {
          still = element;
        }}
        hidden
      />
      <div
        class="tile-video"
        ref={(element) => {
          host = element;
        }}
      />
      <Overlay camera={props.camera} view={view()} want={props.want} />
      <div class="tile-frame" style={{ '--ratio': shape(props.camera.id, view()) }}>
        <div class="tile-top">
          <Show when={notRecorded(props.camera)}>
            {(why) => (
              <span class="chip alarm" title={why()}>
                {t('live.notRecorded')}
              </span>
            )}
          </Show>
          <Show when={state() === 'playing' && view()?.rung}>
            {(rung) => (
              <>
                <Show when={view()?.delayMs !== undefined}>
                  <span class="chip num" title={t('live.delay.label')}>
                    {delayText(view())} ms
                  </span>
                </Show>
                <span class={`chip ${rung().transport}`}>
                  {rung().transport === 'webrtc' ? 'WebRTC' : 'MSE'}
                </span>
              </>
            )}
          </Show>
        </div>
        <div class="tile-bottom">
          <span class={`dot ${toneOf(state())}`} title={t(stateKey(state()))} />
          <span class="tile-name truncate">{props.camera.name}</span>
          <span class="tile-facts num truncate">{facts(props.camera.id, view(), props.roomy)}</span>
          <span class="grow" />
          <span class="tile-actions">{props.actions}</span>
        </div>
      </div>
    </div>
  );
}

const videoTrack = (camera: string, stream: string) => videoOf(stateOf(camera, stream));

const delayText = (view: View | undefined): string | undefined =>
  view?.delayMs === undefined ? undefined : String(Math.round(view.delayMs));

/** Width by height of what is shown, so that what is written stands in the picture, not across
    its edge. Upright pictures leave too little room: there it stands in the tile. */
function shape(camera: string, view: View | undefined): number | undefined {
  const track = videoTrack(camera, view?.rung?.stream ?? 'main');
  const ratio = (view?.width || track?.width || 0) / (view?.height || track?.height || 1);
  return ratio >= 1 ? ratio : undefined;
}

/** 'H.264 · 1920×1080 · 25 fps', as far as it is known and there is room. */
function facts(camera: string, view: View | undefined, roomy: boolean): string {
  const rung = view?.rung;
  if (!rung || view?.state !== 'playing') return '';
  const track = videoTrack(camera, rung.stream);
  const width = view.width || track?.width || 0;
  const height = view.height || track?.height || 0;
  const rate = stateOf(camera, rung.stream)?.frame_rate ?? 0;
  const parts: string[] = [];
  if (track) parts.push(codecLabel(track.codec));
  if (width) parts.push(roomy ? `${width}×${height}` : `${height}p`);
  if (roomy && rate > 0) parts.push(`${number(rate)} fps`);
  return parts.join(' · ');
}

export function toneOf(state: PlayerState | 'online' | 'unknown'): string {
  switch (state) {
    case 'playing':
    case 'online':
      return 'ok';
    case 'connecting':
    case 'reconnecting':
    case 'stalled':
      return 'warn';
    case 'offline':
    case 'unsupported':
      return 'bad';
    case 'held':
      return 'held';
    default:
      return '';
  }
}

const stateKey = (state: PlayerState) => `state.${state}` as const;

interface Words {
  icon: IconName | 'spinner';
  title: string;
  lead: string;
}

function Overlay(props: { camera: Camera; view: View | undefined; want: Want }) {
  const wantedState = () => {
    const stream = props.view?.rung?.stream ?? props.camera.streams[0]?.name ?? 'main';
    return stateOf(props.camera.id, stream);
  };
  const words = (): Words | undefined => {
    const view = props.view;
    if (view?.state === 'playing') {
      const state = wantedState();
      return state?.status === 'stalled'
        ? { icon: 'spinner', title: t('overlay.stalled'), lead: state.reason }
        : undefined;
    }
    return wordsFor(view);
  };
  return (
    <Show when={words()}>
      {(said) => (
        <div class="tile-overlay" classList={{ 'over-picture': props.view?.picture ?? false }}>
          <Show when={said().icon !== 'spinner'} fallback={<span class="spinner large" />}>
            <Icon name={said().icon as IconName} />
          </Show>
          <strong>{said().title}</strong>
          <span class="tile-reason">{said().lead}</span>
        </div>
      )}
    </Show>
  );
}

function wordsFor(view: View | undefined): Words {
  const reason = view?.reason ?? '';
  switch (view?.state) {
    case 'held':
      return {
        icon: 'lock',
        title: t('overlay.held'),
        lead: reason || t('overlay.held.hint'),
      };
    case 'offline':
      return { icon: 'offline', title: t('overlay.offline'), lead: reason };
    case 'disabled':
      return { icon: 'power', title: t('overlay.disabled'), lead: '' };
    case 'unsupported':
      return {
        icon: 'warn',
        title: t('overlay.unsupported', { codec: codecLabel(reason) || '?' }),
        lead: t('overlay.unsupported.hint'),
      };
    case 'paused':
      return { icon: 'pause', title: t('state.paused'), lead: '' };
    case 'reconnecting':
      return { icon: 'spinner', title: t('overlay.reconnecting'), lead: trouble(view) };
    case 'connecting':
      return { icon: 'spinner', title: t('overlay.connecting'), lead: trouble(view) };
    case 'stalled':
      return { icon: 'spinner', title: t('overlay.stalled'), lead: reason };
    default:
      return { icon: 'spinner', title: t('overlay.cameraConnecting'), lead: reason };
  }
}

/** Why the last try failed, and when the next comes. */
function trouble(view: View): string {
  const why =
    view.failure === 'unreachable'
      ? t('overlay.server')
      : view.failure === 'no-media'
        ? t('overlay.noMedia')
        : view.failure === 'lost'
          ? ''
          : view.reason;
  if (view.retryAt === undefined) return why;
  now();
  const seconds = Math.max(1, Math.ceil((view.retryAt - performance.now()) / 1000));
  const next = seconds > 2 ? t('overlay.retryIn', { seconds }) : '';
  return [why, next].filter(Boolean).join(' · ');
}
