/** The state of the playback page and everything that can be done on it. */

import { createEffect, createMemo, createSignal, on, onCleanup } from 'solid-js';
import type { Camera } from '../api/types';
import { clock as sayClock, t } from '../i18n';
import { cameraById } from '../state/cameras';
import { toast } from '../ui/toast';
import { SPEEDS, type Speed } from './follow';
import { createFootage, startingPoint } from './footage';
import { createPlayers } from './players';
import { createSelection } from './selection-state';
import {
  clampView,
  DAY,
  dayOf,
  follow,
  type Span,
  spanAfter,
  spanBefore,
  type View,
  viewAround,
  zoomAt,
} from './timeline';

export const MOST_CAMERAS = 9;
/** How far back the timeline reaches: what the server tells at most. */
const BACK_MS = 398 * DAY;
/** After a hand on the timeline, the view stays where it was put for so long. */
const FREE_LOOK_MS = 6000;
const SLACK_MS = 3000;

export type Playback = ReturnType<typeof createPlayback>;

export interface Wish {
  /** The moment to begin at, epoch milliseconds; undefined: the newest of `day`. */
  at: number | undefined;
  day: number;
  cameras: string[];
}

/** Streams of a camera that are, or were, recorded: those switched off come last. */
export function recordedStreams(camera: Camera | undefined): string[] {
  const streams = camera?.streams ?? [];
  const on = streams.filter((one) => one.recording !== 'off');
  const first = on.length > 0 ? on : streams.slice(0, 1);
  return first.map((one) => one.name);
}

export function createPlayback(wish: Wish) {
  const limits = createMemo(() => {
    const today = dayOf(Date.now());
    return { start: today.start - BACK_MS, end: today.end };
  });
  const [cameras, setCameras] = createSignal(wish.cameras.slice(0, MOST_CAMERAS));
  const [selected, setSelected] = createSignal(wish.cameras[0] ?? '');
  const [view, setView] = createSignal<View>(dayOf(wish.day));
  const [head, setHead] = createSignal<number>();
  const [scrubbing, setScrubbing] = createSignal<number>();
  const [skip, setSkip] = createSignal(true);
  const [help, setHelp] = createSignal(false);
  let touchedAt = Number.NEGATIVE_INFINITY;
  let arriving: View | undefined = dayOf(wish.day);
  let firstWish = wish.at;

  const streamsOf = (id: string) => recordedStreams(cameraById(id));
  const footage = createFootage(
    cameras,
    streamsOf,
    view,
    () => arrive(),
    () => arriveBlind(),
  );
  const own = (): Span[] => footage.of(selected());
  const selection = createSelection(head, view, limits);

  const players = createPlayers({
    cameras,
    selected,
    line: footage.line,
    streamsOf,
    skip,
    onHead: (ms) => {
      setHead(ms);
      const free = performance.now() - touchedAt <= FREE_LOOK_MS;
      if (players.playing() && !free && scrubbing() === undefined) {
        setView(follow(view(), ms, limits()));
      }
    },
    onGap: (from, to) => {
      toast(t('playback.gap', { from: sayClock(from), to: sayClock(to) }));
    },
  });

  const seek = (ms: number) => players.seek(Math.min(Math.max(limits().start, ms), Date.now()));

  /** On a day just opened: go to the wish in the address, else to its newest footage. */
  const arrive = () => {
    const wanted = arriving;
    if (!wanted || !footage.knows(selected(), wanted)) return;
    arriving = undefined;
    const within = own().filter((one) => one.end > wanted.start && one.start < wanted.end);
    const last = within.at(-1);
    const inDay = last && {
      start: Math.max(last.start, wanted.start),
      end: Math.min(last.end, wanted.end),
    };
    const to = firstWish ?? (inDay && startingPoint(inDay, Date.now()));
    firstWish = undefined;
    if (to === undefined) {
      players.stop();
      return;
    }
    setView(viewAround(to, own(), limits()));
    seek(to);
  };

  /** The line of time did not come: what was asked for may be played nevertheless. */
  const arriveBlind = () => {
    const to = firstWish;
    if (to === undefined) return;
    firstWish = undefined;
    arriving = undefined;
    setView(viewAround(to, [], limits()));
    seek(to);
  };

  createEffect(
    on(
      cameras,
      (ids) => {
        if (!ids.includes(selected())) setSelected(ids[0] ?? '');
      },
      { defer: true },
    ),
  );
  onCleanup(players.close);

  const look = (next: View) => {
    touchedAt = performance.now();
    setView(clampView(next, limits()));
  };

  /** A recording further away than what is loaded is asked for, further and further. */
  const toSpan = async (which: 'next' | 'previous') => {
    const at = head() ?? view().start;
    const near = which === 'next' ? spanAfter(own(), at) : spanBefore(own(), at, SLACK_MS);
    const safe = which === 'next' || (near && near.start > view().start - DAY);
    if (near && safe) {
      seek(near.start);
      return;
    }
    for (const days of [2, 30, 398]) {
      const range =
        which === 'next'
          ? { start: at, end: Math.min(limits().end, at + days * DAY) }
          : { start: Math.max(limits().start, at - days * DAY), end: at };
      const spans = await footage.spansIn(selected(), range).catch(() => []);
      const found = which === 'next' ? spanAfter(spans, at) : spanBefore(spans, at, SLACK_MS);
      if (found) {
        seek(found.start);
        setView(viewAround(found.start, spans, limits()));
        return;
      }
    }
    toast(t(which === 'next' ? 'playback.noNext' : 'playback.noPrevious'));
  };

  return {
    limits,
    cameras,
    selected,
    select: setSelected,
    view,
    head,
    scrubbing,
    skip,
    setSkip,
    help,
    setHelp,
    footage,
    own,
    selection,
    players,
    look,
    seek,
    toSpan,
    day: () => dayOf(head() ?? (view().start + view().end) / 2),
    setCameras: (ids: string[]) => setCameras(ids.slice(0, MOST_CAMERAS)),
    openDay: (ms: number) => {
      const day = dayOf(ms);
      arriving = day;
      players.stop();
      setHead(undefined);
      setView(day);
      footage.reload();
    },
    emptyDay: () => {
      const day = dayOf(head() ?? view().start);
      return head() === undefined && footage.knows(selected(), day) && arriving === undefined;
    },
    zoom(factor: number) {
      look(zoomAt(view(), factor, head() ?? (view().start + view().end) / 2, limits()));
    },
    wholeDay() {
      look(dayOf(head() ?? view().start));
    },
    /** A hand moves the head without playing; undefined lets go where it is. */
    scrub(ms: number | undefined) {
      touchedAt = performance.now();
      setScrubbing(ms === undefined ? undefined : Math.min(ms, Date.now()));
    },
    /** L starts, then goes faster; J goes slower. */
    faster(by: 1 | -1) {
      if (!players.playing()) {
        players.toggle(true);
        return;
      }
      const next = SPEEDS[SPEEDS.indexOf(players.speed()) + by];
      if (next !== undefined) players.setSpeed(next as Speed);
    },
    jump(ms: number) {
      const at = head();
      if (at !== undefined) seek(at + ms);
    },
  };
}
