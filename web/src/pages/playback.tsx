/** Find what was recorded: a day on a timeline, and a player that follows it. */

import { createSignal, For, onCleanup, onMount, Show } from 'solid-js';
import type { Camera } from '../api/types';
import { Link, navigate, query } from '../app/router';
import { clock, number, day as sayDay, span as saySpan, t } from '../i18n';
import { DayPicker } from '../playback/calendar';
import { createPlayback, type Playback, SPEEDS } from '../playback/controller';
import { KeysHelp, RowPicker, StageWords, ToolButton } from '../playback/parts';
import { covered, parseDateKey } from '../playback/timeline';
import { Timeline } from '../playback/timeline-view';
import { cameraById, cameraList, failed, loaded } from '../state/cameras';
import { now } from '../state/page';
import { Empty, Loading, Segmented } from '../ui/controls';
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
  const day0 = at ?? parseDateKey(query().get('day') ?? '') ?? Date.now();
  const play = createPlayback(() => props.camera, at, day0);
  const [help, setHelp] = createSignal(false);
  let host: HTMLDivElement | undefined;
  let still: HTMLCanvasElement | undefined;

  onMount(() => {
    if (host && still) play.attach(host, still);
  });
  listenToKeys(play, () => setHelp(true));

  const goTo = (id: string) => navigate(`/playback/${id}`, { replace: true });

  return (
    <div class="playback">
      <header class="toolbar playback-bar">
        <h1 class="sr-only">{t('playback.title')}</h1>
        <select
          class="select camera-select"
          aria-label={t('playback.pick')}
          value={props.camera.id}
          onChange={(event) => goTo(event.currentTarget.value)}
        >
          <For each={cameraList()}>{(one) => <option value={one.id}>{one.name}</option>}</For>
        </select>
        <DayPicker
          camera={props.camera.id}
          day={play.day().start}
          onPick={(ms) => play.openDay(ms)}
        />
        <span class="grow" />
        <RowPicker rows={play.rows()} current={props.camera.id} onChange={play.setRows} />
        <button
          type="button"
          class="btn quiet icon only-wide"
          aria-label={t('live.keys')}
          title={`${t('live.keys')} (?)`}
          onClick={() => setHelp(true)}
        >
          <Icon name="keyboard" />
        </button>
        <Link class="btn" href={`/cameras/${props.camera.id}`} title={t('playback.goLive')}>
          <Icon name="live" />
          {t('playback.live')}
        </Link>
      </header>
      <div
        class="playback-stage"
        data-playback={props.camera.id}
        data-state={play.state()}
        data-wall-ms={play.head() === undefined ? undefined : Math.round(play.head() ?? 0)}
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
        <StageWords
          state={play.emptyDay() ? 'no-day' : play.state()}
          detail={play.detail()}
          head={play.head()}
          camera={props.camera.id}
        />
      </div>
      <div class="transport">
        <div class="transport-time">
          <strong class="num">
            {play.head() === undefined ? '--:--:--' : clock(play.head() ?? 0)}
          </strong>
          <span class="faint">{sayDay(play.head() ?? play.day().start, 'short')}</span>
        </div>
        <div class="transport-buttons">
          <ToolButton
            icon="previous"
            label={t('playback.previousSpan')}
            keys="["
            onClick={() => play.toSpan('previous')}
          />
          <ToolButton
            icon="back10"
            label={t('playback.back10')}
            keys="←"
            onClick={() => play.jump(-10_000)}
          />
          <button
            type="button"
            class="btn primary play-button"
            aria-label={play.playing() ? t('playback.pause') : t('playback.play')}
            title={`${play.playing() ? t('playback.pause') : t('playback.play')} (Space)`}
            onClick={() => play.toggle()}
          >
            <Icon name={play.playing() ? 'pause' : 'play'} />
          </button>
          <ToolButton
            icon="forward10"
            label={t('playback.forward10')}
            keys="→"
            onClick={() => play.jump(10_000)}
          />
          <ToolButton
            icon="next"
            label={t('playback.nextSpan')}
            keys="]"
            onClick={() => play.toSpan('next')}
          />
        </div>
        <div class="transport-end">
          <Show when={play.hasSound()}>
            <ToolButton
              icon={play.sound() ? 'sound' : 'soundOff'}
              label={play.sound() ? t('playback.mute') : t('playback.unmute')}
              keys="M"
              onClick={() => play.toggleSound()}
            />
          </Show>
          <Segmented
            label={t('playback.speed')}
            value={play.speed()}
            options={SPEEDS.map((value) => ({
              value,
              label: `${number(value, value < 1 ? 1 : 0)}×`,
            }))}
            onChange={play.chooseSpeed}
          />
        </div>
      </div>
      <div class="timeline">
        <Timeline
          rows={play.rows().map((id) => ({
            id,
            name: cameraById(id)?.name ?? id,
            spans: play.footage.of(id),
          }))}
          selected={props.camera.id}
          view={play.view()}
          limits={play.day()}
          head={play.head()}
          now={now()}
          onView={play.look}
          onSeek={(ms, row) => {
            if (row !== props.camera.id) {
              play.setHead(ms);
              goTo(row);
            } else play.seek(ms);
          }}
        />
        <div class="timeline-foot">
          <span class="faint num">
            {t('playback.recorded', { value: saySpan(covered(play.own())) })}
          </span>
          <span class="grow" />
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
          <button type="button" class="btn quiet small" onClick={() => play.look(play.day())}>
            {t('playback.zoomAll')}
          </button>
        </div>
      </div>
      <Show when={help()}>
        <KeysHelp onClose={() => setHelp(false)} />
      </Show>
    </div>
  );
}

function listenToKeys(play: Playback, help: () => void): void {
  const keys: Record<string, () => void> = {
    ' ': () => play.toggle(),
    k: () => play.toggle(false),
    j: () => play.faster(-1),
    l: () => play.faster(1),
    ArrowLeft: () => play.jump(-10_000),
    ArrowRight: () => play.jump(10_000),
    ',': () => play.frame(-1),
    '.': () => play.frame(1),
    '[': () => play.toSpan('previous'),
    ']': () => play.toSpan('next'),
    '+': () => play.zoom(0.6),
    '=': () => play.zoom(0.6),
    '-': () => play.zoom(1 / 0.6),
    '0': () => play.look(play.day()),
    m: () => play.toggleSound(),
    '?': help,
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
