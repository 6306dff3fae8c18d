/** The state of the playback page and everything that can be done on it. */

import { createEffect, createSignal, on, onCleanup } from 'solid-js';
import { openWindow } from '../api/recordings';
import type { Camera } from '../api/types';
import { clock, t } from '../i18n';
import { capabilities } from '../live/ladder';
import { createVideo, keepPicture } from '../live/video';
import { stateOf } from '../state/cameras';
import { toast } from '../ui/toast';
import { type EngineState, PlaybackEngine } from './engine';
import { chooseStream, createFootage, startingPoint } from './footage';
import { dayOf, follow, spanAfter, spanBefore, type View, viewAround, zoomAt } from './timeline';

export const SPEEDS = [0.5, 1, 2, 4] as const;
export type Speed = (typeof SPEEDS)[number];
export const MOST_ROWS = 6;

/** After a hand on the timeline, the view stays where it was put for so long. */
const FREE_LOOK_MS = 6000;
const USUAL_RATE = 25;

export type Playback = ReturnType<typeof createPlayback>;

/** `wish`: the moment to begin at, epoch milliseconds; undefined: the newest of `day`. */
export function createPlayback(camera: () => Camera, wish: number | undefined, day0: number) {
  const [day, setDay] = createSignal(dayOf(day0));
  const [view, setView] = createSignal<View>(day());
  const [head, setHead] = createSignal<number>();
  const [rows, setRows] = createSignal([camera().id]);
  const [state, setState] = createSignal<EngineState>('idle');
  const [detail, setDetail] = createSignal('');
  const [playing, setPlaying] = createSignal(true);
  const [speed, setSpeed] = createSignal<Speed>(1);
  const [hasSound, setHasSound] = createSignal(false);
  const [sound, setSound] = createSignal(false);
  const stage: { host?: HTMLElement; still?: HTMLCanvasElement } = {};
  let engine: PlaybackEngine | undefined;
  let stream = mainOf(camera());
  let touchedAt = Number.NEGATIVE_INFINITY;
  let arriving = true;
  let firstWish = wish;

  const footage = createFootage(rows, day, () => {
    if (arriving) arriveOnDay();
    else if (state() === 'unsupported' && streamAt(head() ?? 0) !== stream) seek(head() ?? 0);
  });
  const own = () => footage.of(camera().id);
  const streamAt = (ms: number) =>
    chooseStream(footage.raw(camera().id), ms, capabilities().mse, mainOf(camera()));

  /** A fresh engine on a fresh <video>; the old picture stays until the new one comes. */
  const build = () => {
    engine?.close();
    const { host, still } = stage;
    const before = host?.querySelector('video');
    if (before && still && keepPicture(before, still)) still.hidden = false;
    before?.remove();
    const video = createVideo();
    video.autoplay = false;
    video.addEventListener('loadeddata', () => {
      if (still) still.hidden = true;
    });
    host?.append(video);
    const id = camera().id;
    engine = new PlaybackEngine(video, {
      open: (start, seconds, signal) => openWindow(id, stream, start, seconds, signal),
      onState: (next, why) => {
        setState(next);
        setDetail(why);
      },
      onTime,
      onCodecs: (codecs) => setHasSound(/mp4a|opus|flac/i.test(codecs)),
      onGap: (from, to) => {
        toast(t('playback.gap', { from: clock(from), to: clock(to) }));
        onTime(to);
      },
    });
    engine.rate = speed();
    engine.sound = sound();
    if (playing()) engine.play();
  };

  const onTime = (ms: number) => {
    setHead(ms);
    if (ms < day().start || ms >= day().end) turnTo(ms);
    if (playing() && performance.now() - touchedAt > FREE_LOOK_MS) {
      setView(follow(view(), ms, day()));
    }
  };

  const turnTo = (ms: number) => {
    const next = dayOf(ms);
    setDay(next);
    setView(next);
  };

  const openDay = (ms: number) => {
    if (dayOf(ms).start === day().start) return;
    // What plays belongs to another day.
    build();
    setState('idle');
    setHead(undefined);
    arriving = true;
    turnTo(ms);
  };

  /** On a day just opened: go to the wish in the address, else to its newest footage. */
  const arriveOnDay = () => {
    arriving = false;
    const last = own().at(-1);
    const to = firstWish ?? (last && startingPoint(last, Date.now()));
    firstWish = undefined;
    if (to === undefined) return;
    setView(viewAround(to, own(), day()));
    seek(to);
  };

  const seek = (ms: number) => {
    const wanted = streamAt(ms);
    if (wanted !== stream) {
      stream = wanted;
      build();
    }
    void engine?.seek(Math.min(ms, Date.now()));
  };

  // Another camera: the same moment.
  createEffect(
    on(
      () => camera().id,
      (id) => {
        if (!rows().includes(id)) setRows([...rows().slice(1 - MOST_ROWS), id]);
        stream = streamAt(head() ?? 0);
        const at = head();
        build();
        if (at !== undefined) void engine?.seek(at);
      },
      { defer: true },
    ),
  );
  onCleanup(() => engine?.close());

  const toggle = (next = !playing()) => {
    setPlaying(next);
    if (next) engine?.play();
    else engine?.pause();
  };
  const chooseSpeed = (next: Speed) => {
    setSpeed(next);
    if (engine) engine.rate = next;
  };

  return {
    day,
    view,
    head,
    setHead,
    rows,
    setRows,
    state,
    detail,
    playing,
    speed,
    hasSound,
    sound,
    footage,
    own,
    openDay,
    seek,
    toggle,
    chooseSpeed,
    /** Call once the elements are there. */
    attach(host: HTMLElement, still: HTMLCanvasElement) {
      Object.assign(stage, { host, still });
      build();
    },
    emptyDay: () => footage.knows(day()) && own().length === 0 && state() !== 'playing',
    look(next: View) {
      touchedAt = performance.now();
      setView(next);
    },
    zoom(factor: number) {
      setView(zoomAt(view(), factor, head() ?? (view().start + view().end) / 2, day()));
    },
    /** L starts, then goes faster; J goes slower. */
    faster(by: 1 | -1) {
      if (!playing()) toggle(true);
      else chooseSpeed(SPEEDS[SPEEDS.indexOf(speed()) + by] ?? speed());
    },
    toggleSound() {
      setSound(!sound());
      if (engine) engine.sound = sound();
    },
    jump(ms: number) {
      const at = head();
      if (at !== undefined) seek(at + ms);
    },
    frame(by: 1 | -1) {
      setPlaying(false);
      engine?.step(by / (stateOf(camera().id, stream)?.frame_rate || USUAL_RATE));
    },
    toSpan(which: 'next' | 'previous') {
      const at = head() ?? day().start;
      const to = which === 'next' ? spanAfter(own(), at) : spanBefore(own(), at);
      if (to) seek(to.start);
    },
  };
}

const mainOf = (camera: Camera): string => camera.streams[0]?.name ?? 'main';
