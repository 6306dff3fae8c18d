/** Find what was recorded: days on a timeline, and up to nine cameras that follow one clock. */

import { createEffect, createSignal, For, on, onCleanup, Show } from 'solid-js';
import type { Camera } from '../api/types';
import { Link, navigate, query } from '../app/router';
import { span as saySpan, t } from '../i18n';
import { DayPicker } from '../playback/calendar';
import { createPlayback, type Playback } from '../playback/controller';
import { MarksList } from '../playback/marks-list';
import { AddCamera, KeysHelp, ToolButton } from '../playback/parts';
import { SelectionBar } from '../playback/selection-bar';
import { Stage } from '../playback/stage';
import { covered, dayOf, parseDateKey } from '../playback/timeline';
import { Timeline } from '../playback/timeline-view';
import { Transport } from '../playback/transport';
import { cameraById, cameraList, failed, loaded } from '../state/cameras';
import { now } from '../state/page';
import { Empty, Loading } from '../ui/controls';
import { Icon } from '../ui/icon';
import { explain } from '../ui/toast';

export function PlaybackPage(props: { camera: string | undefined }) {
  const camera = () => cameraById(props.camera ?? '') ?? cameraList()[0];
  return (
    <Show
      when={camera()}
      fallback={
        <Show when={loaded() || failed()} fallback={<Loading />}>
          <Empty
            icon="camera"
            title={t('live.empty.title')}
            lead={failed() ? explain(failed()) : t('live.empty.viewer')}
          />
        </Show>
      }
    >
      {(found) => <Player camera={found()} />}
    </Show>
  );
}

function Player(props: { camera: Camera }) {
  const at = Number(query().get('at')) || undefined;
  const others = (query().get('with') ?? '').split(',').filter((id) => cameraById(id));
  const play = createPlayback({
    at,
    day: at ?? parseDateKey(query().get('day') ?? '') ?? Date.now(),
    cameras: [...new Set([props.camera.id, ...others])],
  });
  const [listing, setListing] = createSignal(false);
  listenToKeys(play, () => setListing(true));

  // The address names the cameras, so that it can be kept and sent.
  createEffect(
    on(
      () => [play.selected(), play.cameras()] as const,
      ([id, all]) => {
        const rest = all.filter((one) => one !== id).join(',');
        if (id) navigate(`/playback/${id}${rest ? `?with=${rest}` : ''}`, { replace: true });
      },
      { defer: true },
    ),
  );
  createEffect(
    on(
      () => props.camera.id,
      (id) => {
        if (!play.cameras().includes(id)) play.setCameras([id]);
        play.select(id);
      },
      { defer: true },
    ),
  );
  const swap = (id: string) => {
    const before = play.selected();
    const all = play.cameras();
    if (!all.includes(id)) play.setCameras(all.map((one) => (one === before ? id : one)));
    play.select(id);
  };

  return (
    <div class="playback">
      <header class="toolbar playback-bar">
        <h1 class="sr-only">{t('playback.title')}</h1>
        <select
          class="select camera-select"
          aria-label={t('playback.pick')}
          value={play.selected()}
          onChange={(event) => swap(event.currentTarget.value)}
        >
          <For each={cameraList()}>
            {(one) => (
              <option value={one.id} selected={one.id === play.selected()}>
                {one.name}
              </option>
            )}
          </For>
        </select>
        <DayPicker
          camera={play.selected()}
          day={dayOf(play.head() ?? play.view().start).start}
          onPick={(ms) => play.openDay(ms)}
        />
        <span class="grow" />
        <AddCamera
          cameras={play.cameras()}
          onAdd={(id) => play.setCameras([...play.cameras(), id])}
        />
        <button
          type="button"
          class="btn quiet icon only-wide"
          aria-label={t('live.keys')}
          title={`${t('live.keys')} (?)`}
          onClick={() => play.setHelp(true)}
        >
          <Icon name="keyboard" />
        </button>
        <Link class="btn" href={`/cameras/${play.selected()}`} title={t('playback.goLive')}>
          <Icon name="live" />
          {t('playback.live')}
        </Link>
      </header>
      <Stage play={play} onSelect={play.select} />
      <Transport play={play} />
      <div class="timeline">
        <Timeline
          rows={play.cameras().map((id) => ({
            id,
            name: cameraById(id)?.name ?? id,
            line: play.footage.line(id),
          }))}
          selected={play.selected()}
          view={play.view()}
          limits={play.limits()}
          head={play.scrubbing() ?? play.head()}
          now={now()}
          selection={play.selection}
          onView={play.look}
          onScrub={play.scrub}
          onSeek={(ms, row) => {
            if (play.cameras().includes(row)) play.select(row);
            play.seek(ms);
          }}
        />
        <div class="timeline-foot">
          <Show
            when={play.selection.span()}
            fallback={
              <span class="faint num only-wide">
                {t('playback.recorded', { value: saySpan(covered(within(play))) })}
              </span>
            }
          >
            {(chosen) => <SelectionBar play={play} span={chosen()} />}
          </Show>
          <span class="grow" />
          <button
            type="button"
            class="btn quiet small"
            classList={{ 'is-on': play.selection.span() !== undefined }}
            aria-pressed={play.selection.span() !== undefined}
            title={play.selection.span() ? t('selection.clear') : undefined}
            onClick={() =>
              play.selection.span() ? play.selection.clear() : play.selection.begin()
            }
          >
            <Icon name="select" />
            {t('selection.begin')}
          </button>
          <ToolButton
            icon="list"
            label={t('marks.open')}
            keys="E"
            onClick={() => setListing(true)}
            small
          />
          <ToolButton
            icon="zoomOut"
            label={t('playback.zoomOut')}
            keys="-"
            onClick={() => play.zoom(1 / 0.6)}
            small
          />
          <ToolButton
            icon="zoomIn"
            label={t('playback.zoomIn')}
            keys="+"
            onClick={() => play.zoom(0.6)}
            small
          />
          <button type="button" class="btn quiet small" onClick={() => play.wholeDay()}>
            {t('playback.zoomAll')}
          </button>
        </div>
      </div>
      <Show when={play.help()}>
        <KeysHelp onClose={() => play.setHelp(false)} />
      </Show>
      <Show when={listing()}>
        <MarksList
          line={play.footage.line(play.selected())}
          view={play.view()}
          name={cameraById(play.selected())?.name ?? play.selected()}
          onSeek={(ms) => {
            setListing(false);
            play.seek(ms);
          }}
          onClose={() => setListing(false)}
        />
      </Show>
    </div>
  );
}

/** What is recorded of the chosen camera within the view. */
function within(play: Playback) {
  const { start, end } = play.view();
  return play
    .own()
    .map((one) => ({ start: Math.max(one.start, start), end: Math.min(one.end, end) }))
    .filter((one) => one.end > one.start);
}

function listenToKeys(play: Playback, list: () => void): void {
  const { players, selection } = play;
  const keys: Record<string, () => void> = {
    ' ': () => players.toggle(),
    k: () => players.toggle(false),
    j: () => play.faster(-1),
    l: () => play.faster(1),
    r: () => players.reverse(),
    g: () => play.setSkip(!play.skip()),
    i: () => selection.mark('start'),
    o: () => selection.mark('end'),
    t: () => document.querySelector<HTMLElement>('.time-button')?.click(),
    e: list,
    ArrowLeft: () => play.jump(-10_000),
    ArrowRight: () => play.jump(10_000),
    ',': () => void players.step(-1),
    '.': () => void players.step(1),
    '[': () => void play.toSpan('previous'),
    ']': () => void play.toSpan('next'),
    '+': () => play.zoom(0.6),
    '=': () => play.zoom(0.6),
    '-': () => play.zoom(1 / 0.6),
    '0': () => play.wholeDay(),
    m: () => players.toggleSound(),
    '?': () => play.setHelp(true),
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    if (target.closest('input, select, textarea, dialog, [role=radiogroup]')) return;
    if (event.key === ' ' && target.closest('button')) return;
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener('keydown', onKey);
  onCleanup(() => document.removeEventListener('keydown', onKey));
}
