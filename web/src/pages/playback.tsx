/** Find what was recorded: a day on a timeline, and a player that follows it. */

import { createEffect, createSignal, For, on, onCleanup, onMount, Show } from 'solid-js';
import { listSpans, openWindow, type RecordedSpan } from '../api/recordings';
import type { Camera } from '../api/types';
import { Link, navigate, query } from '../app/router';
import { clock, number, day as sayDay, span as saySpan, t } from '../i18n';
import { capabilities } from '../live/ladder';
import { createVideo, keepPicture } from '../live/video';
import { DayPicker } from '../playback/calendar';
import { type EngineState, PlaybackEngine } from '../playback/engine';
import {
  clampView,
  covered,
  dateKey,
  dayOf,
  follow,
  HOUR,
  mergeSpans,
  parseDateKey,
  type Span,
  spanAfter,
  spanBefore,
  type View,
  zoomAt,
} from '../playback/timeline';
import { Timeline } from '../playback/timeline-view';
import { cameraById, cameraList, failed, loaded, stateOf } from '../state/cameras';
import { now } from '../state/page';
import { Empty, Loading, Segmented } from '../ui/controls';
import { Icon } from '../ui/icon';
import { KeyList } from '../ui/keys';
import { explain, toast } from '../ui/toast';

const SPEEDS = [0.5, 1, 2, 4] as const;
const MOST_ROWS = 6;
/** After a hand on the timeline, the view stays where it was put for so long. */
const FREE_LOOK_MS = 6000;

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
  const asked = Number(query().get('at')) || parseDateKey(query().get('day') ?? '');
  const [day, setDay] = createSignal(dayOf(asked || Date.now()));
  const [view, setView] = createSignal<View>(day());
  const [head, setHead] = createSignal<number | undefined>();
  const [rows, setRows] = createSignal<string[]>([props.camera.id]);
  const [spans, setSpans] = createSignal<Record<string, RecordedSpan[]>>({});
  const [state, setState] = createSignal<EngineState>('idle');
  const [detail, setDetail] = createSignal('');
  const [playing, setPlaying] = createSignal(false);
  const [speed, setSpeed] = createSignal<(typeof SPEEDS)[number]>(1);
  const [hasSound, setHasSound] = createSignal(false);
  const [sound, setSound] = createSignal(false);
  const [help, setHelp] = createSignal(false);
  const [loadedDay, setLoadedDay] = createSignal('');
  let host: HTMLDivElement | undefined;
  let still: HTMLCanvasElement | undefined;
  let engine: PlaybackEngine | undefined;

  const own = (): Span[] => mergeSpans(spans()[props.camera.id] ?? [], 500);
  const limits = (): View => day();

  /** The stream to play: the largest recorded one that this browser can show. */
  const streamAt = (ms: number): string => {
    const can = capabilities().mse;
    const all = (spans()[props.camera.id] ?? []).filter((s) => ms < s.end);
    const playable = all.filter((s) => !s.codec || can.has(s.codec));
    const best = playable.find((s) => s.stream === 'main') ?? playable[0];
    return best?.stream ?? props.camera.streams[0]?.name ?? 'main';
  };

  let stream = 'main';
  let touchedAt = Number.NEGATIVE_INFINITY;
  const build = () => {
    engine?.close();
    const before = host?.querySelector('video');
    if (before && still && keepPicture(before, still)) still.hidden = false;
    before?.remove();
    const video = createVideo();
    video.autoplay = false;
    video.addEventListener('loadeddata', () => {
      if (still) still.hidden = true;
    });
    host?.append(video);
    const id = props.camera.id;
    engine = new PlaybackEngine(video, {
      open: (start, seconds, signal) => openWindow(id, stream, start, seconds, signal),
      onState: (next, why) => {
        setState(next);
        setDetail(why);
      },
      onTime: (ms) => {
        setHead(ms);
        if (playing() && performance.now() - touchedAt > FREE_LOOK_MS) {
          setView(follow(view(), ms, limits()));
        }
        if (ms >= day().end) openDay(ms, false);
      },
      onCodecs: (codecs) => setHasSound(/mp4a|opus|flac/i.test(codecs)),
      onGap: (from, to) => {
        toast(t('playback.gap', { from: clock(from), to: clock(to) }));
        setHead(to);
      },
    });
    engine.rate = speed();
    engine.sound = sound();
  };

  const seek = (ms: number) => {
    const wanted = streamAt(ms);
    if (!engine || wanted !== stream) {
      stream = wanted;
      build();
      if (playing()) engine?.play();
    }
    void engine?.seek(Math.min(ms, Date.now()));
  };

  const openDay = (ms: number, jump: boolean) => {
    const next = dayOf(ms);
    if (next.start === day().start) return;
    setDay(next);
    setView(next);
    setLoadedDay('');
    if (jump) setHead(undefined);
    pendingJump = jump;
  };
  let pendingJump = true;
  let firstWish: number | undefined = Number(query().get('at')) || undefined;

  const load = async (ids: string[], { start, end }: View, signal: AbortSignal) => {
    const found = await Promise.all(
      ids.map(async (id) => [id, await listSpans(id, start, end, signal)] as const),
    );
    if (signal.aborted) return;
    setSpans(Object.fromEntries(found));
    setLoadedDay(dateKey(start));
    if (pendingJump) arriveOnDay();
  };

  /** Where to stand on a day just opened: the wish in the address, else its newest footage. */
  const arriveOnDay = () => {
    pendingJump = false;
    const last = own().at(-1);
    const wish = firstWish ?? (last ? startingPoint(last) : undefined);
    firstWish = undefined;
    if (wish === undefined) return;
    setView(clampView({ start: wish - 2 * HOUR, end: wish + HOUR }, limits()));
    seek(wish);
  };

  createEffect(() => {
    const ids = rows();
    const shown = day();
    const abort = new AbortController();
    const ask = () =>
      load(ids, shown, abort.signal).catch((error: unknown) => {
        if (!abort.signal.aborted) toast(explain(error), 'bad');
      });
    void ask();
    // Today's recordings grow.
    const timer = setInterval(() => Date.now() < shown.end + 60_000 && void ask(), 15_000);
    onCleanup(() => {
      abort.abort();
      clearInterval(timer);
    });
  });

  // Another camera: the same moment.
  createEffect(
    on(
      () => props.camera.id,
      (id) => {
        if (!rows().includes(id)) setRows([...rows().slice(1 - MOST_ROWS), id]);
        const at = head();
        build();
        if (at === undefined) return;
        if (playing()) engine?.play();
        void engine?.seek(at);
      },
      { defer: true },
    ),
  );

  onMount(() => {
    build();
    toggle(true);
    document.addEventListener('keydown', onKey);
  });
  onCleanup(() => {
    document.removeEventListener('keydown', onKey);
    engine?.close();
  });

  const toggle = (on = !playing()) => {
    setPlaying(on);
    if (on) engine?.play();
    else engine?.pause();
  };
  const choose = (next: (typeof SPEEDS)[number]) => {
    setSpeed(next);
    if (engine) engine.rate = next;
  };
  const faster = (by: 1 | -1) => {
    if (!playing()) toggle(true);
    else choose(SPEEDS[SPEEDS.indexOf(speed()) + by] ?? speed());
  };
  const toggleSound = () => {
    setSound(!sound());
    if (engine) engine.sound = sound();
  };
  const jump = (ms: number) => {
    const at = head();
    if (at !== undefined) seek(at + ms);
  };
  const frame = (by: 1 | -1) => {
    setPlaying(false);
    engine?.step(by / (stateOf(props.camera.id, stream)?.frame_rate || 25));
  };
  const toSpan = (which: 'next' | 'previous') => {
    const at = head() ?? day().start;
    const to = which === 'next' ? spanAfter(own(), at) : spanBefore(own(), at);
    if (to) seek(to.start);
  };
  const zoom = (factor: number) =>
    setView(zoomAt(view(), factor, head() ?? (view().start + view().end) / 2, limits()));

  const keys: Record<string, () => void> = {
    ' ': () => toggle(),
    k: () => toggle(false),
    j: () => faster(-1),
    l: () => faster(1),
    ArrowLeft: () => jump(-10_000),
    ArrowRight: () => jump(10_000),
    ',': () => frame(-1),
    '.': () => frame(1),
    '[': () => toSpan('previous'),
    ']': () => toSpan('next'),
    '+': () => zoom(0.6),
    '=': () => zoom(0.6),
    '-': () => zoom(1 / 0.6),
    '0': () => setView(limits()),
    m: () => toggleSound(),
    '?': () => setHelp(true),
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

  const goTo = (id: string) => navigate(`/playback/${id}`, { replace: true });
  const emptyDay = () => loadedDay() === dateKey(day().start) && own().length === 0;

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
        <DayPicker camera={props.camera.id} day={day().start} onPick={(ms) => openDay(ms, true)} />
        <span class="grow" />
        <RowPicker rows={rows()} current={props.camera.id} onChange={setRows} />
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
        data-state={state()}
        data-wall-ms={head() === undefined ? undefined : Math.round(head() ?? 0)}
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
          state={emptyDay() && state() !== 'playing' ? 'no-day' : state()}
          detail={detail()}
          head={head()}
          camera={props.camera.id}
        />
      </div>
      <div class="transport">
        <div class="transport-time">
          <strong class="num">{head() === undefined ? '--:--:--' : clock(head() ?? 0)}</strong>
          <span class="faint">{sayDay(head() ?? day().start, 'short')}</span>
        </div>
        <div class="transport-buttons">
          <ToolButton
            icon="previous"
            label={t('playback.previousSpan')}
            keys="["
            onClick={() => toSpan('previous')}
          />
          <ToolButton
            icon="back10"
            label={t('playback.back10')}
            keys="←"
            onClick={() => jump(-10_000)}
          />
          <button
            type="button"
            class="btn primary play-button"
            aria-label={playing() ? t('playback.pause') : t('playback.play')}
            title={`${playing() ? t('playback.pause') : t('playback.play')} (Space)`}
            onClick={() => toggle()}
          >
            <Icon name={playing() ? 'pause' : 'play'} />
          </button>
          <ToolButton
            icon="forward10"
            label={t('playback.forward10')}
            keys="→"
            onClick={() => jump(10_000)}
          />
          <ToolButton
            icon="next"
            label={t('playback.nextSpan')}
            keys="]"
            onClick={() => toSpan('next')}
          />
        </div>
        <div class="transport-end">
          <Show when={hasSound()}>
            <ToolButton
              icon={sound() ? 'sound' : 'soundOff'}
              label={sound() ? t('playback.mute') : t('playback.unmute')}
              keys="M"
              onClick={toggleSound}
            />
          </Show>
          <Segmented
            label={t('playback.speed')}
            value={speed()}
            options={SPEEDS.map((value) => ({
              value,
              label: `${number(value, value < 1 ? 1 : 0)}×`,
            }))}
            onChange={choose}
          />
        </div>
      </div>
      <div class="timeline">
        <Timeline
          rows={rows().map((id) => ({
            id,
            name: cameraById(id)?.name ?? id,
            spans: mergeSpans(spans()[id] ?? [], 500),
          }))}
          selected={props.camera.id}
          view={view()}
          limits={limits()}
          head={head()}
          now={now()}
          onView={(next) => {
            touchedAt = performance.now();
            setView(next);
          }}
          onSeek={(ms, row) => {
            if (row !== props.camera.id) {
              setHead(ms);
              goTo(row);
            } else seek(ms);
          }}
        />
        <div class="timeline-foot">
          <span class="faint num">
            {t('playback.recorded', { value: saySpan(covered(own())) })}
          </span>
          <span class="grow" />
          <ToolButton
            icon="zoomOut"
            label={t('playback.zoomOut')}
            keys="-"
            onClick={() => zoom(1 / 0.6)}
            small
          />
          <ToolButton
            icon="zoomIn"
            label={t('playback.zoomIn')}
            keys="+"
            onClick={() => zoom(0.6)}
            small
          />
          <button type="button" class="btn quiet small" onClick={() => setView(limits())}>
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

function KeysHelp(props: { onClose: () => void }) {
  const rows = () => [
    { keys: ['Space', 'K'], text: `${t('playback.play')} / ${t('playback.pause')}` },
    { keys: ['←', '→'], text: `${t('playback.back10')} / ${t('playback.forward10')}` },
    { keys: ['J', 'L'], text: t('playback.keys.speed') },
    { keys: [',', '.'], text: t('playback.keys.frame') },
    { keys: ['[', ']'], text: `${t('playback.previousSpan')} / ${t('playback.nextSpan')}` },
    { keys: ['+', '-', '0'], text: t('playback.keys.zoom') },
    { keys: ['M'], text: t('playback.unmute') },
  ];
  return <KeyList rows={rows()} onClose={props.onClose} />;
}

/** Half a minute before the end while it still grows, else the start of the day's last hour. */
function startingPoint(last: Span): number {
  const growing = Date.now() - last.end < 120_000;
  return growing ? Math.max(last.start, last.end - 30_000) : Math.max(last.start, last.end - HOUR);
}

function ToolButton(props: {
  icon: Parameters<typeof Icon>[0]['name'];
  label: string;
  keys: string;
  small?: boolean;
  onClick: () => void;
}) {
  return (
    <button
      type="button"
      class={`btn quiet icon ${props.small ? 'small' : ''}`}
      aria-label={props.label}
      title={`${props.label} (${props.keys})`}
      onClick={() => props.onClick()}
    >
      <Icon name={props.icon} />
    </button>
  );
}

function RowPicker(props: { rows: string[]; current: string; onChange: (rows: string[]) => void }) {
  const others = () => cameraList().filter((one) => !props.rows.includes(one.id));
  return (
    <div class="row-picker">
      <For each={props.rows.filter((id) => id !== props.current)}>
        {(id) => (
          <button
            type="button"
            class="chip-btn"
            title={t('playback.removeCamera', { name: cameraById(id)?.name ?? id })}
            onClick={() => props.onChange(props.rows.filter((row) => row !== id))}
          >
            {cameraById(id)?.name ?? id}
            <Icon name="close" />
          </button>
        )}
      </For>
      <Show when={others().length > 0 && props.rows.length < MOST_ROWS}>
        <select
          class="select add-row"
          aria-label={t('playback.addCamera')}
          value=""
          onChange={(event) => {
            const id = event.currentTarget.value;
            event.currentTarget.value = '';
            if (id) props.onChange([...props.rows, id]);
          }}
        >
          <option value="">{t('playback.addCamera')}</option>
          <For each={others()}>{(one) => <option value={one.id}>{one.name}</option>}</For>
        </select>
      </Show>
    </div>
  );
}

function StageWords(props: {
  state: EngineState | 'no-day';
  detail: string;
  head: number | undefined;
  camera: string;
}) {
  const words = (): { title: string; lead: string; spin?: boolean } | undefined => {
    switch (props.state) {
      case 'no-day':
        return { title: t('playback.noDay'), lead: t('playback.noDay.hint') };
      case 'loading':
        return { title: '', lead: '', spin: true };
      case 'empty':
        return { title: t('playback.none', { time: clock(props.head ?? 0) }), lead: '' };
      case 'ended':
        return { title: t('playback.end'), lead: t('playback.end.live') };
      case 'unsupported':
        return {
          title: t('playback.unsupported', { codec: props.detail }),
          lead: t('playback.unsupported.hint'),
        };
      case 'failed':
        return { title: t('error.unexpected', { detail: props.detail }), lead: '' };
      default:
        return undefined;
    }
  };
  return (
    <Show when={words()}>
      {(said) => (
        <div
          class="tile-overlay"
          classList={{ 'over-picture': !said().spin }}
          role={said().spin ? 'status' : 'alert'}
        >
          <Show when={said().spin}>
            <span class="spinner large" />
            <span class="sr-only">{t('playback.loading')}</span>
          </Show>
          <strong>{said().title}</strong>
          <span class="tile-reason">{said().lead}</span>
          <Show when={props.state === 'ended'}>
            <Link class="btn primary" href={`/cameras/${props.camera}`}>
              <Icon name="live" />
              {t('playback.goLive')}
            </Link>
          </Show>
        </div>
      )}
    </Show>
  );
}
