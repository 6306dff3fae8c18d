/**
 * Shows one camera's recordings at the master clock's time. Fetches windows of footage around
 * it, and plays, nudges or seeks the <video> so that it keeps within a picture of the clock.
 */

import { ApiError } from '../api/client';
import { nextStart, type PlaybackWindow } from '../api/recordings';
import { Coverage, type Missing } from './coverage';
import { rangeEnd } from './feed';
import { aheadMs, correct, type Pace, paceOf, Strain, windowSeconds } from './follow';
import { Pictures } from './pictures';
import { Source, Unsupported } from './source';

export type FollowerState =
  | 'idle'
  | 'loading'
  | 'ready'
  | 'gap'
  | 'ended'
  | 'unsupported'
  | 'failed';

export interface FollowerPorts {
  open(start: number, seconds: number, keys: boolean, at: AbortSignal): Promise<PlaybackWindow>;
  onState(state: FollowerState, detail: string): void;
  /** A picture of this wall time is on the screen. */
  onPicture(wallMs: number): void;
  /** What the footage is made of, as MSE names it. */
  onCodecs(codecs: string): void;
  /** This cannot be played or is not recorded: is there another stream to try? */
  otherStream(): boolean;
}

/** Footage this fresh may still grow. */
const GROWING_MS = 90_000;
const AGAIN_MS = 2000;
const KEEP_MS = 40_000;

export class Follower {
  state: FollowerState = 'idle';
  private readonly source: Source;
  private readonly coverage = new Coverage();
  private readonly pictures = new Pictures();
  private readonly strain = new Strain();
  private strained = false;
  private pace: Pace = { keys: false, free: true };
  private target = 0;
  private rate = 1;
  private going = false;
  private fed = 0;
  private work = new AbortController();
  private fetching: Missing | undefined;
  private pausedUntil = 0;
  private closed = false;
  /** Where the recordings ended when they were last asked for. */
  private endMs = Number.POSITIVE_INFINITY;
  private latency = 0.15;
  private soughtAt = 0;
  private sought = Number.NaN;
  /** Wall time of the picture on the screen. */
  shownMs: number | undefined;

  constructor(
    readonly video: HTMLVideoElement,
    private readonly ports: FollowerPorts,
  ) {
    this.source = new Source(video);
    video.addEventListener('seeked', this.onSeeked);
    video.addEventListener('error', this.onError);
    this.watchPictures();
  }

  set sound(on: boolean) {
    this.video.muted = !on;
  }

  /** What the clock must wait for. */
  get waiting(): boolean {
    return this.state === 'loading' || (this.state === 'ready' && !this.near());
  }

  /** Called again and again with the clock's time. `going`: it runs. */
  follow(target: number, rate: number, going: boolean): void {
    if (this.closed || this.state === 'unsupported' || this.state === 'failed') return;
    if (rate !== this.rate) {
      this.strained = false;
      this.strain.clear();
    }
    this.target = target;
    this.rate = rate;
    this.going = going;
    const pace = paceOf(rate, this.strained);
    if (pace.keys !== this.pace.keys) this.reset();
    this.pace = pace;
    this.pump();
    const present = this.judge();
    this.set(present);
    if (present === 'ready') this.move();
    else if (!this.video.paused) this.video.pause();
    this.forget();
  }

  /** Where footage goes on after the gap at `target`, as far as the server has said. */
  nextAfterGap(): number | undefined {
    const known = this.coverage.at(this.target, performance.now());
    if (!known?.empty || !Number.isFinite(known.end)) return undefined;
    return this.coverage.reach(this.target, 1, performance.now());
  }

  /**
   * The time of the picture after (1) or before (-1) the one shown, fetched if need be;
   * undefined: there is none, or it did not come in time.
   */
  async neighbour(by: 1 | -1, limitMs = 6000): Promise<number | undefined> {
    const from = this.target;
    const began = performance.now();
    while (performance.now() - began < limitMs && !this.closed && this.target === from) {
      const now = performance.now();
      const reach = this.coverage.reach(from, by, now);
      const shown = this.pictures.shownAt(from);
      const next = this.pictures.neighbour(from, by);
      const within = by > 0 ? reach : this.coverage.reach(shown?.ms ?? from, by, now);
      if (next && (by > 0 ? next.ms < within : next.ms >= within - 1)) return next.ms;
      this.pump(by, by < 0 ? (shown?.ms ?? from) : from);
      await new Promise((done) => setTimeout(done, 30));
    }
    return undefined;
  }

  /** Begin anew, as with another stream. */
  reset(): void {
    this.abort();
    this.source.drop();
    this.coverage.clear();
    this.pictures.clear();
    this.fed = 0;
    this.sought = Number.NaN;
    if (this.state !== 'idle') this.set('loading');
  }

  close(): void {
    this.closed = true;
    this.abort();
    this.video.removeEventListener('seeked', this.onSeeked);
    this.video.removeEventListener('error', this.onError);
    this.source.close();
  }

  private abort(): void {
    this.work.abort();
    this.work = new AbortController();
    this.fetching = undefined;
  }

  private judge(): FollowerState {
    const known = this.coverage.at(this.target, performance.now());
    if (this.source.open) {
      const { buffered } = this.video;
      const at = this.source.seconds(this.target);
      if (rangeEnd(buffered, at) !== undefined) return 'ready';
    }
    if (!known) return this.state === 'ended' && this.target >= this.endMs ? 'ended' : 'loading';
    if (known.empty) return Number.isFinite(known.until) ? 'ended' : 'gap';
    // Within a window, but between its pictures: they are still coming, or it has a hole.
    return this.fetching && this.target >= this.fetching.start && this.target < this.fetching.end
      ? 'loading'
      : 'gap';
  }

  private near(): boolean {
    if (!this.pace.free || !this.source.open) return true;
    const off = Math.abs(this.source.ms(this.video.currentTime) - this.target);
    return off < 1000 * Math.max(1, Math.abs(this.rate));
  }

  private move(): void {
    if (!this.source.open) return;
    if (this.going && this.pace.free) this.moveFreely();
    else this.moveTo(this.target);
  }

  private moveFreely(): void {
    const { video } = this;
    if (video.seeking) return;
    const drift = this.source.ms(video.currentTime) - this.target;
    const what = correct(drift, this.rate);
    if (what.kind === 'seek') {
      if (!video.paused && this.strain.noteSeek(performance.now())) this.strained = this.rate > 1;
      // While it is sought the clock goes on.
      this.seek(this.target + (video.paused ? 0 : this.latency * 1000 * this.rate));
      return;
    }
    if (this.rate > 1 && this.late()) this.strained = true;
    const most = Math.min(16, Math.max(0.0625, what.rate));
    if (Math.abs(video.playbackRate - most) > 0.002) video.playbackRate = most;
    if (video.paused) video.play().catch(() => undefined);
  }

  /** Browsers keep their clock and leave out pictures: only what is on the screen tells. */
  private late(): boolean {
    const due = this.pictures.shownAt(this.target)?.ms;
    if (due === undefined || this.shownMs === undefined || this.video.paused) return false;
    return this.strain.noteLate(due - this.shownMs, this.rate, performance.now());
  }

  /** Show the picture of `ms`, sought: paused, backwards, or key pictures alone. */
  private moveTo(ms: number): void {
    const { video } = this;
    if (!video.paused) video.pause();
    if (video.seeking) return;
    const shown = this.pictures.shownAt(ms)?.ms ?? ms;
    if (Math.abs(shown - this.sought) < 0.5) return;
    this.sought = shown;
    this.seek(shown + 0.6, shown);
  }

  private seek(ms: number, sought = Number.NaN): void {
    this.sought = sought;
    this.soughtAt = performance.now();
    this.video.currentTime = this.source.seconds(ms);
  }

  /** Fetch what is missing around the clock, one window at a time. */
  private pump(direction: 1 | -1 = this.rate < 0 ? -1 : 1, from = this.target): void {
    const now = performance.now();
    if (this.closed || now < this.pausedUntil) return;
    const { keys } = this.pace;
    const seconds = windowSeconds(this.fed, this.rate, keys);
    // Backwards the end of a window is wanted first: a short one until something is there.
    const back = keys ? 900 : this.coverage.at(from, now) ? 12 : 4;
    const most = (direction < 0 ? Math.min(seconds, back) : seconds) * 1000;
    const wish = this.coverage.missing(from, direction, aheadMs(this.rate, keys), most, now);
    if (!wish || wish.start > Date.now() + 1000) return;
    if (this.fetching) {
      const { start, end } = this.fetching;
      // What is being fetched is of no use for where the clock is now: leave it.
      const useless = !this.coverage.at(from, now) && (from < start - 1 || from >= end);
      if (!useless) return;
      this.abort();
      this.fed = 0;
    }
    this.fetching = wish;
    void this.fetch(wish, this.work.signal).finally(() => {
      if (this.fetching === wish) this.fetching = undefined;
    });
  }

  private async fetch(wish: Missing, signal: AbortSignal): Promise<void> {
    const seconds = (wish.end - wish.start) / 1000;
    let told: number | undefined;
    try {
      const found = await this.ports.open(wish.start, seconds, this.pace.keys, signal);
      this.ports.onCodecs(found.codecs);
      await this.source.take(found, signal, (pictures, renewed) => {
        if (renewed) {
          this.coverage.clear();
          this.pictures.clear();
        }
        this.pictures.add(pictures);
        const last = pictures.at(-1)?.ms;
        if (told === undefined) this.noteBefore(wish.start, found.startMs);
        if (last !== undefined && last > (told ?? found.startMs)) {
          this.coverage.add(told ?? found.startMs, last, false);
          told = last;
        }
      });
      this.fed += 1;
      if (found.endMs > (told ?? found.startMs)) {
        this.coverage.add(told ?? found.startMs, found.endMs, false);
      }
      if (found.endMs <= wish.start + 1) this.noteEnd(wish.start);
    } catch (error) {
      if (!signal.aborted) this.onFetchError(error, wish);
    }
  }

  private noteBefore(asked: number, began: number): void {
    if (began > asked + 1) this.coverage.add(asked, began, true);
  }

  /** Nothing more for now, from `ms` on. */
  private noteEnd(ms: number): void {
    const fresh = Date.now() - ms < GROWING_MS;
    this.endMs = ms;
    const until = performance.now() + (fresh ? AGAIN_MS : 30_000);
    this.coverage.add(ms, ms + 366 * 86_400_000, true, until);
  }

  private onFetchError(error: unknown, wish: Missing): void {
    if (error instanceof Unsupported) {
      if (this.ports.otherStream()) this.reset();
      else this.set('unsupported', error.codecs);
    } else if (error instanceof ApiError && error.status === 404) {
      const next = nextStart(error);
      if (next !== undefined && next > wish.start) this.coverage.add(wish.start, next, true);
      else if (next === undefined) this.noteEnd(wish.start);
      else this.pausedUntil = performance.now() + AGAIN_MS;
    } else if (error instanceof ApiError && (error.status === 0 || error.status >= 500)) {
      // The banner or the log says why; what is at hand plays on meanwhile.
      this.pausedUntil = performance.now() + AGAIN_MS;
    } else if (error instanceof DOMException && error.name === 'InvalidStateError') {
      this.reset();
    } else this.set('failed', error instanceof Error ? error.message : String(error));
  }

  /** Drop what lies far from the clock. */
  private forget(): void {
    if (this.fetching || !this.source.open) return;
    const keep = KEEP_MS * (this.pace.keys ? 30 : Math.max(1, Math.abs(this.rate)));
    const ahead = aheadMs(this.rate, this.pace.keys) + keep;
    const { buffered } = this.video;
    if (buffered.length === 0) return;
    const first = this.source.ms(buffered.start(0));
    const last = this.source.ms(buffered.end(buffered.length - 1));
    const behind = this.rate < 0 ? ahead : keep;
    const before = this.rate < 0 ? keep : ahead;
    const low = this.pictures.keyBefore(this.target - behind);
    if (low !== undefined && first < low - keep) this.cut(first - 1, low);
    else {
      const high = this.pictures.keyBefore(this.target + before + keep);
      if (high !== undefined && high > this.target && last > high + keep) this.cut(high, last + 1);
    }
  }

  private cut(start: number, end: number): void {
    if (!this.source.remove(start, end)) return;
    this.coverage.remove(start, end);
    this.pictures.remove(start, end);
  }

  private watchPictures(): void {
    const { video } = this;
    if (!video.requestVideoFrameCallback) {
      video.addEventListener('timeupdate', () => this.note(video.currentTime));
      return;
    }
    const step = (_: number, frame: VideoFrameCallbackMetadata) => {
      if (this.closed) return;
      this.note(frame.mediaTime);
      video.requestVideoFrameCallback(step);
    };
    video.requestVideoFrameCallback(step);
  }

  private note(seconds: number): void {
    if (!this.source.open) return;
    this.shownMs = this.source.ms(seconds);
    this.ports.onPicture(this.shownMs);
  }

  private readonly onSeeked = (): void => {
    const took = (performance.now() - this.soughtAt) / 1000;
    this.latency += (Math.min(1, took) - this.latency) * 0.3;
  };

  private readonly onError = (): void => {
    if (!this.video.error || this.closed) return;
    const { message } = this.video.error;
    if (!this.source.open && !message) return;
    this.abort();
    this.set('failed', message);
  };

  private set(state: FollowerState, detail = ''): void {
    if (state === this.state && !detail) return;
    this.state = state;
    this.ports.onState(state, detail);
  }
}
