/**
 * Keeps one camera on the screen: climbs down the ladder when a way fails, tries again with
 * growing waits, changes stream without a black moment, and lets go when nobody looks.
 */

import type { StreamStatus } from '../api/types';
import { type Candidate, type Capabilities, ladder, type Want, type WebrtcHealth } from './ladder';
import { LiveFailure, type Rung, type Session, sameRung } from './types';
import { keepPicture } from './video';

export type PlayerState =
  | 'idle'
  | 'connecting'
  | 'playing'
  | 'reconnecting'
  | 'offline'
  | 'held'
  | 'disabled'
  | 'stalled'
  | 'unsupported'
  | 'paused';

export interface StreamView extends Candidate {
  /** Undefined while the server has not said. */
  status: StreamStatus | undefined;
  reason: string;
}

export interface Inputs {
  streams: readonly StreamView[];
  want: Want;
  /** False: nobody looks; every connection is let go, the last picture stays. */
  active: boolean;
  enabled: boolean;
}

export interface View {
  state: PlayerState;
  /** The way that shows now. */
  rung: Rung | undefined;
  delayMs: number | undefined;
  /** The server's or the browser's words, for the overlay. */
  reason: string;
  failure: LiveFailure['kind'] | undefined;
  /** performance.now() of the next try. */
  retryAt: number | undefined;
  /** There is a picture on the screen, new or old. */
  picture: boolean;
  width: number;
  height: number;
}

export interface PlayerPorts {
  open(rung: Rung): Session;
  capabilities: Capabilities;
  webrtc: WebrtcHealth;
  onChange(view: View): void;
  random?: () => number;
}

const BACKOFF_MS = [1000, 2000, 4000, 8000, 15_000];
const STALL_MS = 4500;
const SAMPLE_MS = 1000;

const BLANK: View = {
  state: 'idle',
  rung: undefined,
  delayMs: undefined,
  reason: '',
  failure: undefined,
  retryAt: undefined,
  picture: false,
  width: 0,
  height: 0,
};

const LOST = { state: 'reconnecting', rung: undefined, delayMs: undefined } as const;

export class LivePlayer {
  private inputs: Inputs = { streams: [], want: 'sub', active: false, enabled: true };
  private view: View = BLANK;
  private shown: { rung: Rung; session: Session } | undefined;
  private opening: { rung: Rung; session: Session } | undefined;
  /** Rungs that failed since the last success or the last full round. */
  private failed: Rung[] = [];
  private rounds = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly sampler: ReturnType<typeof setInterval>;
  private frames = 0;
  private movedAt = 0;
  private closed = false;

  /** `host` gets the videos; `still` shows the last picture while there is none. */
  constructor(
    private readonly host: HTMLElement,
    private readonly still: HTMLCanvasElement,
    private readonly ports: PlayerPorts,
  ) {
    this.sampler = setInterval(() => void this.sample(), SAMPLE_MS);
  }

  update(inputs: Inputs): void {
    if (this.closed) return;
    const before = this.inputs;
    this.inputs = inputs;
    if (before.want !== inputs.want || changed(before, inputs)) {
      this.failed = [];
      this.rounds = 0;
      this.cancelRetry();
    }
    this.evaluate();
  }

  close(): void {
    this.closed = true;
    this.letGo();
    clearInterval(this.sampler);
  }

  /** Look at what is wanted and what there is, and do the next thing. */
  private evaluate(): void {
    const { streams, want, active, enabled } = this.inputs;
    if (!enabled) this.rest('disabled');
    else if (!active) this.rest('paused');
    else if (streams.length === 0) this.rest('idle');
    else this.climb(streams.filter(mayPlay), want);
  }

  private climb(alive: StreamView[], want: Want): void {
    if (alive.length === 0) {
      this.restByStatus();
      return;
    }
    const plan = ladder(alive, want, this.ports.capabilities, this.ports.webrtc.blocked);
    if (plan.length === 0) {
      this.rest('unsupported', codecOf(alive, want));
      return;
    }
    if (this.retry) return;
    const best = plan.find((rung) => !this.failed.some((bad) => sameRung(bad, rung)));
    if (!best) this.waitForNextRound();
    else if (sameRung(this.shown?.rung, best)) this.dropOpening();
    else if (!sameRung(this.opening?.rung, best) && !this.goodEnough(best, plan)) this.open(best);
  }

  /** The wanted stream shows by a lower way after a better one failed: stay until it ends. */
  private goodEnough(best: Rung, plan: readonly Rung[]): boolean {
    const rung = this.shown?.rung;
    return (
      rung !== undefined &&
      this.failed.length > 0 &&
      rung.stream === best.stream &&
      plan.some((one) => sameRung(one, rung))
    );
  }

  private open(rung: Rung): void {
    this.dropOpening();
    let session: Session;
    try {
      session = this.ports.open(rung);
    } catch (error) {
      this.onFailed(rung, error instanceof LiveFailure ? error : new LiveFailure('lost', ''));
      return;
    }
    const attempt = { rung, session };
    this.opening = attempt;
    session.video.classList.add('is-opening');
    this.host.append(session.video);
    if (!this.shown) this.set({ state: this.view.picture ? 'reconnecting' : 'connecting' });
    session.ready.then(
      () => this.opening === attempt && this.show(attempt),
      (failure: LiveFailure) => {
        if (this.opening !== attempt) return;
        this.dropOpening();
        this.onFailed(rung, failure);
      },
    );
  }

  private show(attempt: { rung: Rung; session: Session }): void {
    const { rung, session } = attempt;
    this.opening = undefined;
    this.dropShown();
    this.shown = attempt;
    session.video.classList.remove('is-opening');
    if (rung.transport === 'webrtc') this.ports.webrtc.worked();
    this.failed = [];
    this.rounds = 0;
    this.frames = 0;
    this.movedAt = performance.now();
    this.still.hidden = true;
    this.set({
      ...BLANK,
      state: 'playing',
      rung,
      picture: true,
      width: session.video.videoWidth,
      height: session.video.videoHeight,
    });
    void session.ended.then((failure) => {
      if (this.shown !== attempt) return;
      this.freeze();
      // The way worked: try the same one again first.
      this.set({ ...LOST, reason: failure.message, failure: failure.kind });
      this.scheduleRetry();
    });
  }

  private onFailed(rung: Rung, failure: LiveFailure): void {
    if (this.closed) return;
    this.failed.push(rung);
    if (rung.transport === 'webrtc' && failure.kind === 'no-media') this.ports.webrtc.failed();
    this.set({ reason: failure.message, failure: failure.kind });
    if (failure.kind === 'unreachable' || failure.kind === 'refused') {
      // Another transport would meet the same answer: wait instead.
      this.waitForNextRound();
    } else this.evaluate();
  }

  private waitForNextRound(): void {
    this.failed = [];
    if (this.shown) {
      // Something plays; the better way is tried again later, without a word.
      this.scheduleRetry(30_000);
      return;
    }
    this.set({ state: this.view.picture ? 'reconnecting' : 'connecting' });
    this.scheduleRetry();
  }

  private scheduleRetry(fixed?: number): void {
    this.cancelRetry();
    const base = BACKOFF_MS[Math.min(this.rounds, BACKOFF_MS.length - 1)] ?? 15_000;
    this.rounds += 1;
    const random = this.ports.random ?? Math.random;
    const wait = fixed ?? base * (0.8 + 0.4 * random());
    this.retry = setTimeout(() => {
      this.retry = undefined;
      this.set({ retryAt: undefined });
      this.evaluate();
    }, wait);
    if (!this.shown) this.set({ retryAt: performance.now() + wait });
  }

  private cancelRetry(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
  }

  private rest(state: PlayerState, reason = ''): void {
    this.letGo();
    this.set({ ...BLANK, state, reason, picture: this.view.picture });
  }

  private restByStatus(): void {
    const { streams, want } = this.inputs;
    const first = streams.find((stream) => stream.stream === want) ?? streams[0];
    const state = first?.status === 'online' ? 'idle' : (first?.status ?? 'idle');
    this.rest(state === 'connecting' ? 'connecting' : state, first?.reason ?? '');
  }

  private letGo(): void {
    this.cancelRetry();
    this.dropOpening();
    this.freeze();
    this.failed = [];
  }

  /** Close what shows, and leave its last picture standing. */
  private freeze(): void {
    if (this.shown && keepPicture(this.shown.session.video, this.still)) this.still.hidden = false;
    this.dropShown();
  }

  private dropShown(): void {
    const shown = this.shown;
    this.shown = undefined;
    if (!shown) return;
    shown.session.close();
    shown.session.video.remove();
  }

  private dropOpening(): void {
    const opening = this.opening;
    this.opening = undefined;
    if (!opening) return;
    opening.session.close();
    opening.session.video.remove();
  }

  private async sample(): Promise<void> {
    const shown = this.shown;
    if (!shown) return;
    const { video } = shown.session;
    const frames = video.getVideoPlaybackQuality?.().totalVideoFrames ?? 0;
    const now = performance.now();
    // A hidden page decodes nothing; that is no stall.
    if (frames !== this.frames || document.hidden) this.movedAt = now;
    this.frames = frames;
    if (now - this.movedAt > STALL_MS) {
      this.freeze();
      this.set({ ...LOST, failure: 'no-media', reason: '' });
      this.scheduleRetry();
      return;
    }
    const delayMs = await shown.session.delayMs().catch(() => undefined);
    if (this.shown !== shown || delayMs === undefined) return;
    this.set({ delayMs, width: video.videoWidth, height: video.videoHeight });
  }

  private set(change: Partial<View>): void {
    this.view = { ...this.view, ...change };
    this.ports.onChange(this.view);
  }
}

const mayPlay = (stream: StreamView): boolean =>
  stream.status === undefined || stream.status === 'online' || stream.status === 'stalled';

const codecOf = (streams: readonly StreamView[], want: Want): string =>
  (streams.find((stream) => stream.stream === want) ?? streams[0])?.codec ?? '';

/** True when something changed that makes old failures meaningless. */
function changed(a: Inputs, b: Inputs): boolean {
  if (a.active !== b.active || a.enabled !== b.enabled) return true;
  const key = (inputs: Inputs) =>
    inputs.streams.map((s) => `${s.stream}:${s.codec}:${mayPlay(s)}`).join();
  return key(a) !== key(b);
}
