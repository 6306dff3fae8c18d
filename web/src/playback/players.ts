/** All pictures of the page, led by one clock: they play, stop, step and go back together. */

import { createEffect, createSignal } from 'solid-js';
import { ApiError } from '../api/client';
import { openWindow, type PlaybackWindow } from '../api/recordings';
import { MasterClock } from './clock';
import type { Speed } from './follow';
import { Follower, type FollowerState } from './follower';
import type { Line } from './footage';
import { streamsAt } from './footage';

/** How often the pictures are held against the clock. */
const TICK_MS = 40;
/** A picture that does not come holds the others up for so long. */
const PATIENCE_MS = 4000;
const HEAD_EVERY_MS = 100;
const GAP_WORTH_TELLING_MS = 2000;

export interface PlayersPorts {
  cameras: () => string[];
  selected: () => string;
  line: (camera: string) => Line;
  streamsOf: (camera: string) => string[];
  /** Whether time in which no camera has anything is jumped over. */
  skip: () => boolean;
  onHead: (ms: number) => void;
  onGap: (from: number, to: number) => void;
}

interface Player {
  follower: Follower;
  barred: Set<string>;
}

export interface Shown {
  state: FollowerState;
  detail: string;
  /** Wall time of the picture on the screen. */
  picture: number | undefined;
}

const WAITING: Shown = { state: 'idle', detail: '', picture: undefined };

export function createPlayers(ports: PlayersPorts) {
  const clock = new MasterClock();
  const players = new Map<string, Player>();
  const [shown, setShown] = createSignal<Record<string, Shown>>({});
  const [playing, setPlaying] = createSignal(true);
  const [speed, setSpeedSignal] = createSignal<Speed>(1);
  const [backwards, setBackwards] = createSignal(false);
  const [sounding, setSounding] = createSignal<Record<string, boolean>>({});
  const [sound, setSound] = createSignal(false);
  /** Something was sought: before that nothing is shown. */
  const [begun, setBegun] = createSignal(false);
  const [ended, setEnded] = createSignal(false);
  let waitingSince: number | undefined;
  let toldAt = 0;
  let stepping = false;

  const rate = () => (backwards() ? -speed() : speed());

  const note = (camera: string, change: Partial<Shown>) =>
    setShown((all) => ({ ...all, [camera]: { ...(all[camera] ?? WAITING), ...change } }));

  const open = async (
    camera: string,
    barred: Set<string>,
    start: number,
    seconds: number,
    keys: boolean,
    signal: AbortSignal,
  ): Promise<PlaybackWindow> => {
    const names = streamsAt(ports.line(camera), start, ports.streamsOf(camera), barred);
    let failure: unknown;
    for (const name of names.length > 0 ? names : ['main']) {
      try {
        return await openWindow(camera, name, start, seconds, signal, keys);
      } catch (error) {
        // Where one stream has nothing another may go on sooner.
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
        failure = sooner(failure, error);
      }
    }
    throw failure;
  };

  const mount = (camera: string, video: HTMLVideoElement): (() => void) => {
    const barred = new Set<string>();
    let current = '';
    const follower = new Follower(video, {
      open: async (start, seconds, keys, signal) => {
        const found = await open(camera, barred, start, seconds, keys, signal);
        current = found.stream;
        return found;
      },
      onState: (state, detail) => note(camera, { state, detail }),
      onPicture: (picture) => note(camera, { picture }),
      onCodecs: (codecs) =>
        setSounding((all) => ({ ...all, [camera]: /mp4a|opus|flac/i.test(codecs) })),
      otherStream: () => {
        barred.add(current);
        return ports.streamsOf(camera).some((name) => !barred.has(name));
      },
    });
    players.set(camera, { follower, barred });
    note(camera, WAITING);
    return () => {
      follower.close();
      players.delete(camera);
    };
  };

  createEffect(() => {
    const loud = ports.selected();
    const on = sound() && !backwards() && speed() <= 2;
    shown();
    for (const [id, { follower }] of players) follower.sound = on && id === loud;
  });

  const followers = () => [...players.values()].map((one) => one.follower);

  const tick = () => {
    if (!begun() || stepping) return;
    const now = performance.now();
    const target = clock.at(now);
    const all = followers();
    const going = playing() && clock.running;
    for (const one of all) one.follow(target, rate(), going);
    if (playing()) lead(all, target, now);
    if (now - toldAt >= HEAD_EVERY_MS || !clock.running) {
      toldAt = now;
      ports.onHead(clock.at(now));
    }
  };

  const lead = (all: Follower[], target: number, now: number) => {
    const live = all.filter((one) => one.state !== 'failed' && one.state !== 'unsupported');
    if (live.length === 0) return;
    const late = live.filter((one) => one.waiting).length;
    if (late === 0) waitingSince = undefined;
    else waitingSince ??= now;
    const patient = late === live.length || now - (waitingSince ?? now) < PATIENCE_MS;
    clock.run(late === 0 || !patient, now);
    if (live.every((one) => one.state === 'ended') && rate() > 0) {
      setEnded(true);
      toggle(false);
    } else if (ports.skip() && live.every((one) => one.state === 'gap' || one.state === 'ended')) {
      overGap(live, target, now);
    }
    if (rate() < 0 && target < 0) toggle(false);
  };

  const overGap = (live: Follower[], target: number, now: number) => {
    const to = rate() > 0 ? soonest(live) : lastBefore(target);
    if (to === undefined) return;
    clock.set(to, now);
    if (Math.abs(to - target) > GAP_WORTH_TELLING_MS) ports.onGap(target, to);
  };

  const soonest = (live: Follower[]): number | undefined => {
    const found = live.map((one) => one.nextAfterGap()).filter((ms) => ms !== undefined);
    return found.length > 0 ? Math.min(...found) : undefined;
  };

  /** Where, going backwards, the cameras' recordings end that lie before `ms`. */
  const lastBefore = (ms: number): number | undefined => {
    const ends = ports.cameras().flatMap((id) => {
      const span = ports.line(id).spans.findLast((one) => one.end < ms);
      return span ? [span.end - 1] : [];
    });
    return ends.length > 0 ? Math.max(...ends) : undefined;
  };

  const seek = (ms: number) => {
    const now = performance.now();
    clock.run(false, now);
    clock.set(ms, now);
    waitingSince = undefined;
    setBegun(true);
    setEnded(false);
    ports.onHead(ms);
    tick();
  };

  const toggle = (next = !playing()) => {
    const now = performance.now();
    if (!next) clock.run(false, now);
    else setEnded(false);
    setPlaying(next);
    if (!next) ports.onHead(clock.at(now));
  };

  const setRate = (next: Speed, back: boolean) => {
    setSpeedSignal(next);
    setBackwards(back);
    clock.setRate(back ? -next : next, performance.now());
  };

  /** One picture on or back, by the pictures' own times of the chosen camera. */
  const step = async (by: 1 | -1) => {
    const lead = players.get(ports.selected())?.follower;
    if (!lead || stepping) return;
    toggle(false);
    tick();
    stepping = true;
    try {
      const to = await lead.neighbour(by);
      if (to === undefined) return;
      const now = performance.now();
      // A fraction of a millisecond inside the picture, so that rounding leads to no other.
      clock.set(to + 0.4, now);
      ports.onHead(to);
    } finally {
      stepping = false;
      tick();
    }
  };

  const timer = setInterval(tick, TICK_MS);
  return {
    mount,
    shown: (camera: string): Shown => shown()[camera] ?? WAITING,
    playing,
    ended,
    begun,
    speed,
    backwards,
    sound,
    hasSound: () => sounding()[ports.selected()] ?? false,
    toggleSound: () => setSound(!sound()),
    toggle,
    seek,
    step,
    setSpeed: (next: Speed) => setRate(next, backwards()),
    reverse: () => setRate(speed(), !backwards()),
    /** Show nothing until something is sought. */
    stop: () => {
      clock.run(false, performance.now());
      setBegun(false);
    },
    close: () => {
      clearInterval(timer);
      for (const one of followers()) one.close();
      players.clear();
    },
  };
}

/** Of two refusals the one whose footage goes on sooner. */
function sooner(one: unknown, other: ApiError): ApiError {
  if (!(one instanceof ApiError)) return other;
  const next = (error: ApiError) => Number(error.problem.next_start ?? Number.POSITIVE_INFINITY);
  return next(one) <= next(other) ? one : other;
}
