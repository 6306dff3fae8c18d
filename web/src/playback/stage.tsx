/** The grid of pictures: one for each camera, each with its words when there is nothing to see. */

import { createSignal, For, type JSX, onCleanup, onMount, Show } from 'solid-js';
import { Link } from '../app/router';
import { clock, t } from '../i18n';
import { createVideo, keepPicture } from '../live/video';
import { cameraById } from '../state/cameras';
import { Icon } from '../ui/icon';
import type { Playback } from './controller';
import type { Line } from './footage';
import type { Shown } from './players';
import { causeWord } from './words';

export function Stage(props: { play: Playback; onSelect: (id: string) => void }) {
  const { play } = props;
  const many = () => play.cameras().length > 1;
  return (
    <div class="playback-grid" data-count={play.cameras().length}>
      <For each={play.cameras()}>
        {(id) => (
          <Tile
            id={id}
            play={play}
            many={many()}
            selected={id === play.selected()}
            onSelect={() => props.onSelect(id)}
          />
        )}
      </For>
    </div>
  );
}

interface TileProps {
  id: string;
  play: Playback;
  many: boolean;
  selected: boolean;
  onSelect: () => void;
}

function Tile(props: TileProps) {
  let host: HTMLElement | undefined;
  let still: HTMLCanvasElement | undefined;
  const shown = () => props.play.players.shown(props.id);
  const name = () => cameraById(props.id)?.name ?? props.id;

  onMount(() => {
    const video = createVideo();
    video.autoplay = false;
    // The last picture stays until a new source has its first one.
    const keep = () => {
      if (still && keepPicture(video, still)) still.hidden = false;
    };
    video.addEventListener('seeking', keep);
    const fresh = () => {
      if (still) still.hidden = true;
    };
    video.addEventListener('loadeddata', fresh);
    video.addEventListener('seeked', fresh);
    host?.prepend(video);
    onCleanup(props.play.players.mount(props.id, video));
  });

  /** What the page says of this picture: 'playing' and 'paused' in place of 'ready'. */
  const state = () => {
    const { play } = props;
    if (play.emptyDay()) return 'no-day';
    if (!play.players.begun()) return 'idle';
    const own = shown().state;
    if (own !== 'ready') return own;
    return play.players.playing() ? 'playing' : 'paused';
  };

  return (
    <section
      class="playback-stage"
      classList={{ 'is-selected': props.many && props.selected }}
      aria-label={name()}
      data-playback={props.id}
      data-state={state()}
      data-wall-ms={shown().picture === undefined ? undefined : Math.round(shown().picture ?? 0)}
      ref={(element) => {
        host = element;
      }}
    >
      <canvas
        class="tile-still"
        hidden
        ref={(element) => {
          still = element;
        }}
      />
      <Words
        state={state()}
        shown={shown()}
        head={props.play.head()}
        ended={props.play.players.ended()}
        camera={props.id}
        line={props.play.footage.line(props.id)}
      />
      <Show when={props.many}>
        <button
          type="button"
          class="stage-name"
          aria-pressed={props.selected}
          onClick={() => props.onSelect()}
        >
          <span class="truncate">{name()}</span>
        </button>
        <button
          type="button"
          class="tile-btn stage-close"
          aria-label={t('playback.removeCamera', { name: name() })}
          title={t('playback.removeCamera', { name: name() })}
          onClick={() =>
            props.play.setCameras(props.play.cameras().filter((other) => other !== props.id))
          }
        >
          <Icon name="close" />
        </button>
      </Show>
    </section>
  );
}

interface Said {
  title: string;
  lead: string;
  spin?: boolean;
}

const SPIN_AFTER_MS = 250;

function Words(props: {
  state: string;
  shown: Shown;
  head: number | undefined;
  ended: boolean;
  camera: string;
  line: Line;
}) {
  const gapWords = (): Said => {
    const at = props.head ?? 0;
    const gap = props.line.gaps.find((one) => at >= one.start && at < (one.end ?? Date.now()));
    return {
      title: t('playback.none', { time: clock(at) }),
      lead: gap ? [causeWord(gap.cause), gap.detail].filter(Boolean).join(': ') : '',
    };
  };
  const words = (): Said | undefined => {
    const { detail } = props.shown;
    switch (props.state) {
      case 'no-day':
        return { title: t('playback.noDay'), lead: t('playback.noDay.hint') };
      case 'loading':
        return { title: '', lead: '', spin: true };
      case 'gap':
        return gapWords();
      case 'ended':
        return { title: t('playback.end'), lead: t('playback.end.live') };
      case 'unsupported':
        return {
          title: t('playback.unsupported', { codec: detail }),
          lead: t('playback.unsupported.hint'),
        };
      case 'failed':
        return { title: t('error.unexpected', { detail }), lead: '' };
      default:
        return undefined;
    }
  };
  return (
    <Show when={words()}>
      {(said) => (
        <Show when={said().spin} fallback={<Overlay said={said()} {...props} />}>
          <Late>
            <div class="tile-overlay" role="status">
              <span class="spinner large" />
              <span class="sr-only">{t('playback.loading')}</span>
            </div>
          </Late>
        </Show>
      )}
    </Show>
  );
}

function Overlay(props: { said: Said; state: string; ended: boolean; camera: string }) {
  return (
    <div class="tile-overlay over-picture" role="alert">
      <strong>{props.said.title}</strong>
      <span class="tile-reason">{props.said.lead}</span>
      <Show when={props.state === 'ended' && props.ended}>
        <Link class="btn primary" href={`/cameras/${props.camera}`}>
          <Icon name="live" />
          {t('playback.goLive')}
        </Link>
      </Show>
    </div>
  );
}

/** Shown a moment late, so that a short wait does not flash. */
function Late(props: { children: JSX.Element }) {
  const [due, setDue] = createSignal(false);
  const timer = setTimeout(() => setDue(true), SPIN_AFTER_MS);
  onCleanup(() => clearTimeout(timer));
  return <Show when={due()}>{props.children}</Show>;
}
