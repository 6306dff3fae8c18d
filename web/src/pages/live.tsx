/** The live grid: 1, 4, 9 or 16 cameras, by mouse, touch and keyboard. */

import { createEffect, createSignal, For, onCleanup, onMount, Show } from 'solid-js';
import type { Camera } from '../api/types';
import { Link, navigate } from '../app/router';
import { TriggerButton } from '../evidence/trigger';
import { clock, t } from '../i18n';
import {
  asLayout,
  columnsOf,
  LAYOUTS,
  type Layout,
  layoutFor,
  moveFocus,
  pageCount,
  turnTo,
} from '../live/grid';
import { LiveTile } from '../live/tile';
import { cameraList, cameraStatus, failed, loaded, reloadCameras } from '../state/cameras';
import { now } from '../state/page';
import { recall, remember } from '../state/prefs';
import { isAdministrator, reachable } from '../state/session';
import { Empty, Loading, Segmented } from '../ui/controls';
import { Icon } from '../ui/icon';
import { KeyList } from '../ui/keys';
import { explain } from '../ui/toast';

/** Tiles behind an enlarged one go on for this long, so that a glance costs no reconnect. */
const LINGER_MS = 20_000;

export function LivePage() {
  const [chosen, setChosen] = createSignal<Layout | undefined>(asLayout(recall('layout')));
  const [page, setPage] = createSignal(0);
  const [focus, setFocus] = createSignal(0);
  const [enlarged, setEnlarged] = createSignal<string>();
  const [lingering, setLingering] = createSignal(true);
  const [help, setHelp] = createSignal(false);
  const [full, setFull] = createSignal(false);
  let stage: HTMLDivElement | undefined;
  let root: HTMLDivElement | undefined;

  const layout = (): Layout => chosen() ?? layoutFor(cameraList().length);
  const pages = (): number => pageCount(cameraList().length, layout());
  const shown = (): Camera[] => {
    const first = Math.min(page(), pages() - 1) * layout();
    return cameraList().slice(first, first + layout());
  };
  const blanks = (): number[] =>
    layout() === 1 ? [] : Array.from({ length: layout() - shown().length }, (_, index) => index);

  createEffect(() => {
    if (page() >= pages()) setPage(pages() - 1);
    if (focus() >= shown().length) setFocus(Math.max(0, shown().length - 1));
    const id = enlarged();
    if (id && !shown().some((camera) => camera.id === id)) setEnlarged(undefined);
  });

  createEffect(() => {
    setLingering(true);
    if (!enlarged()) return;
    const timer = setTimeout(() => setLingering(false), LINGER_MS);
    onCleanup(() => clearTimeout(timer));
  });

  const choose = (next: Layout) => {
    const first = shown()[focus()];
    setEnlarged(undefined);
    setChosen(next);
    remember('layout', String(next));
    const at = first ? cameraList().indexOf(first) : 0;
    setPage(Math.floor(Math.max(0, at) / next));
    focusTile(Math.max(0, at) % next);
  };

  const turn = (by: number, place?: number) => {
    if (pages() < 2) return;
    setEnlarged(undefined);
    setPage(turnTo(page() + by, pages()));
    focusTile(place ?? 0);
  };

  const focusTile = (index: number) => {
    setFocus(index);
    stage?.querySelectorAll<HTMLElement>('[data-tile]')[index]?.focus({ preventScroll: false });
  };

  const move = (direction: 'left' | 'right' | 'up' | 'down') => {
    const to = moveFocus(focus(), direction, columnsOf(layout()), shown().length);
    if (to === 'next') turn(1);
    else if (to === 'previous') turn(-1, layout() - 1);
    else {
      if (enlarged()) setEnlarged(shown()[to]?.id);
      focusTile(to);
    }
  };

  const enlarge = (camera: Camera | undefined) => {
    if (!camera) return;
    if (layout() === 1) navigate(`/cameras/${camera.id}`);
    else setEnlarged(enlarged() === camera.id ? undefined : camera.id);
  };

  /** A finger enlarges with one tap; a mouse has its buttons and the double click. */
  const tap = (event: MouseEvent, camera: Camera) => {
    const touch = (event as PointerEvent).pointerType === 'touch';
    if (touch && !(event.target as HTMLElement).closest('a, button')) enlarge(camera);
  };

  const toggleFull = () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void root?.requestFullscreen?.().catch(() => undefined);
  };

  const keys: Record<string, () => void> = {
    '1': () => choose(1),
    '2': () => choose(4),
    '3': () => choose(9),
    '4': () => choose(16),
    ArrowLeft: () => move('left'),
    ArrowRight: () => move('right'),
    ArrowUp: () => move('up'),
    ArrowDown: () => move('down'),
    Enter: () => enlarge(shown()[focus()]),
    f: () => enlarge(shown()[focus()]),
    g: () => turn(1),
    PageDown: () => turn(1),
    PageUp: () => turn(-1),
    Escape: () => setEnlarged(undefined),
    '?': () => setHelp(true),
  };

  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help()) return;
    const target = event.target as HTMLElement;
    if (target.closest('input, select, textarea, dialog')) return;
    // Enter on a focused button or link is that button's.
    if (event.key === 'Enter' && target.closest('button, a')) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || shown().length === 0) return;
    event.preventDefault();
    act();
  };

  const onFull = () => setFull(document.fullscreenElement === root);
  onMount(() => {
    document.addEventListener('keydown', onKey);
    document.addEventListener('fullscreenchange', onFull);
  });
  onCleanup(() => {
    document.removeEventListener('keydown', onKey);
    document.removeEventListener('fullscreenchange', onFull);
  });

  const onlineCount = () =>
    cameraList().filter((camera) => cameraStatus(camera) === 'online').length;

  return (
    <div
      class="live"
      ref={(element) => {
        root = element;
      }}
    >
      <header class="toolbar live-bar">
        <h1 class="sr-only">{t('live.title')}</h1>
        <Segmented
          label={t('live.layout')}
          value={layout()}
          options={LAYOUTS.map((value, index) => ({
            value,
            label: String(value),
            title: `${value === 1 ? t('live.layout.1') : t('live.layout.n', { count: value })} (${index + 1})`,
          }))}
          onChange={choose}
        />
        <Show when={pages() > 1}>
          <div class="pager">
            <button
              type="button"
              class="btn quiet icon"
              aria-label={t('live.previous')}
              onClick={() => turn(-1)}
            >
              <Icon name="left" />
            </button>
            <span class="num soft" aria-live="polite">
              {t('live.page', { page: page() + 1, pages: pages() })}
            </span>
            <button
              type="button"
              class="btn quiet icon"
              aria-label={t('live.next')}
              title={`${t('live.next')} (G)`}
              onClick={() => turn(1)}
            >
              <Icon name="right" />
            </button>
          </div>
        </Show>
        <span class="grow" />
        <Show when={loaded() && cameraList().length > 0}>
          <span class="live-count num">
            <span
              class="dot"
              classList={{ ok: reachable() && onlineCount() === cameraList().length }}
            />
            {t('system.cameras.online', { online: onlineCount(), total: cameraList().length })}
          </span>
        </Show>
        <time class="live-clock num">{clock(now())}</time>
        <button
          type="button"
          class="btn quiet icon only-wide"
          aria-label={t('live.keys')}
          title={`${t('live.keys')} (?)`}
          onClick={() => setHelp(true)}
        >
          <Icon name="keyboard" />
        </button>
        <button
          type="button"
          class="btn quiet icon"
          aria-label={t('live.fullscreen')}
          title={t('live.fullscreen')}
          onClick={toggleFull}
        >
          <Icon name={full() ? 'shrink' : 'expand'} />
        </button>
      </header>
      <Show
        when={cameraList().length > 0}
        fallback={
          <Show when={loaded() || failed()} fallback={<Loading />}>
            <Show when={!failed()} fallback={<LoadFailed />}>
              <Empty
                icon="camera"
                title={t('live.empty.title')}
                lead={isAdministrator() ? t('live.empty.lead') : t('live.empty.viewer')}
              >
                <Show when={isAdministrator()}>
                  <Link class="btn primary" href="/cameras/add">
                    <Icon name="plus" />
                    {t('live.add')}
                  </Link>
                </Show>
              </Empty>
            </Show>
          </Show>
        }
      >
        <div
          class="stage"
          classList={{ 'has-enlarged': enlarged() !== undefined }}
          data-layout={layout()}
          ref={(element) => {
            stage = element;
          }}
        >
          <For each={shown()}>
            {(camera, index) => (
              // biome-ignore lint/a11y/useSemanticElements: a tile holds buttons of its own
              // biome-ignore lint/a11y/useKeyWithClickEvents: the page listens to the keys
              <div
                class="tile"
                classList={{ 'is-enlarged': enlarged() === camera.id }}
                data-tile
                role="group"
                aria-label={camera.name}
                tabIndex={focus() === index() ? 0 : -1}
                onFocus={() => setFocus(index())}
                onDblClick={() => enlarge(camera)}
                onClick={(event) => tap(event, camera)}
              >
                <LiveTile
                  camera={camera}
                  want={layout() === 1 || enlarged() === camera.id ? 'main' : 'sub'}
                  active={!enlarged() || enlarged() === camera.id || lingering()}
                  roomy={layout() <= 4 || enlarged() === camera.id}
                  actions={
                    <TileActions
                      camera={camera}
                      enlarged={enlarged() === camera.id}
                      canEnlarge={layout() !== 1}
                      onEnlarge={() => enlarge(camera)}
                    />
                  }
                />
              </div>
            )}
          </For>
          <For each={blanks()}>{() => <div class="tile blank" aria-hidden="true" />}</For>
        </div>
      </Show>
      <Show when={help()}>
        <KeysHelp onClose={() => setHelp(false)} />
      </Show>
    </div>
  );
}

function TileActions(props: {
  camera: Camera;
  enlarged: boolean;
  canEnlarge: boolean;
  onEnlarge: () => void;
}) {
  return (
    <>
      <TriggerButton camera={props.camera} class="tile-btn" />
      <Link
        class="tile-btn"
        href={`/playback/${props.camera.id}`}
        aria-label={`${t('live.openPlayback')}: ${props.camera.name}`}
        title={t('live.openPlayback')}
      >
        <Icon name="history" />
      </Link>
      <Link
        class="tile-btn"
        href={`/cameras/${props.camera.id}`}
        aria-label={`${t('live.openCamera')}: ${props.camera.name}`}
        title={t('live.openCamera')}
      >
        <Icon name="camera" />
      </Link>
      <Show when={props.canEnlarge}>
        <button
          type="button"
          class="tile-btn"
          aria-label={`${props.enlarged ? t('live.restore') : t('live.enlarge')}: ${props.camera.name}`}
          title={`${props.enlarged ? t('live.restore') : t('live.enlarge')} (F)`}
          onClick={() => props.onEnlarge()}
        >
          <Icon name={props.enlarged ? 'shrink' : 'expand'} />
        </button>
      </Show>
    </>
  );
}

function LoadFailed() {
  return (
    <Empty icon="offline" title={explain(failed())} lead="">
      <button type="button" class="btn" onClick={() => void reloadCameras()}>
        {t('app.retry')}
      </button>
    </Empty>
  );
}

function KeysHelp(props: { onClose: () => void }) {
  const rows = () => [
    { keys: ['1', '2', '3', '4'], text: t('live.keys.layout') },
    { keys: ['←', '↑', '→', '↓'], text: t('live.keys.move') },
    { keys: ['Enter', 'F'], text: t('live.keys.enlarge') },
    { keys: ['G'], text: t('live.keys.cycle') },
    { keys: ['Esc'], text: t('live.keys.escape') },
    { keys: ['?'], text: t('live.keys.help') },
  ];
  return <KeyList rows={rows()} onClose={props.onClose} />;
}
