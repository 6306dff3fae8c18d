/**
 * Plays recordings of one camera by wall time. Windows of footage are fetched one after another
 * and laid on one media timeline, so that `currentTime` and wall time differ by a constant; holes
 * between recordings stay holes, are jumped over when reached, and are told.
 */

import { ApiError } from '../api/client';
import { nextStart, type PlaybackWindow } from '../api/recordings';
import { mediaSourceClass } from '../live/ladder';
import { dropBehind, rangeAfter, rangeEnd, wantsMore, windowSeconds } from './feed';

export type EngineState =
  | 'idle'
  | 'loading'
  | 'playing'
  | 'paused'
  | 'ended'
  | 'empty'
  | 'unsupported'
  | 'failed';

export interface EnginePorts {
  open(startMs: number, seconds: number, signal: AbortSignal): Promise<PlaybackWindow>;
  onState(state: EngineState, detail: string): void;
  onTime(wallMs: number): void;
  /** What the footage is made of, as MSE names it. */
  onCodecs(codecs: string): void;
  /** Nothing was recorded between these; playback went on after it. */
  onGap(fromMs: number, toMs: number): void;
}

/** Media time begins this far before the first wish, so that seeking back seldom starts anew. */
const HEADROOM_MS = 26 * 3_600_000;
/** A recording this fresh may still grow. */
const GROWING_MS = 90_000;
const AGAIN_MS = 2000;

export class PlaybackEngine {
  private state: EngineState = 'idle';
  private source: MediaSource | undefined;
  private buffer: SourceBuffer | undefined;
  private mime = '';
  private objectUrl = '';
  private baseMs = 0;
  /** Wall time of the next window to ask for; undefined when nothing is wanted. */
  private cursor: number | undefined;
  private fed = 0;
  private work = new AbortController();
  private busy = false;
  private wanted: number | undefined;
  private playing = false;
  private atEnd = false;
  private readonly ticker: ReturnType<typeof setInterval>;
  private again: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly ports: EnginePorts,
  ) {
    video.addEventListener('timeupdate', this.onTime);
    video.addEventListener('seeked', this.onTime);
    video.addEventListener('waiting', this.onWaiting);
    video.addEventListener('playing', this.onPlaying);
    video.addEventListener('error', this.onError);
    this.ticker = setInterval(() => this.tick(), 500);
  }

  /** Wall time of the picture on the screen, or where a seek is going. */
  get wallMs(): number | undefined {
    if (this.wanted !== undefined) return this.wanted;
    return this.source ? this.baseMs + this.video.currentTime * 1000 : undefined;
  }

  get rate(): number {
    return this.video.playbackRate;
  }

  set rate(rate: number) {
    this.video.defaultPlaybackRate = rate;
    this.video.playbackRate = rate;
  }

  set sound(on: boolean) {
    this.video.muted = !on;
  }

  play(): void {
    this.playing = true;
    if (this.wanted === undefined) this.resume();
    else this.set('loading');
  }

  pause(): void {
    this.playing = false;
    this.video.pause();
    if (this.state === 'playing' || this.state === 'loading') this.set('paused');
  }

  async seek(wallMs: number): Promise<void> {
    const at = (wallMs - this.baseMs) / 1000;
    this.ports.onTime(wallMs);
    const buffered = this.buffer ? this.video.buffered : undefined;
    if (buffered && this.wanted === undefined && rangeEnd(buffered, at) !== undefined) {
      this.video.currentTime = at;
      this.atEnd = false;
      this.resume();
      return;
    }
    this.interrupt();
    this.wanted = wallMs;
    this.cursor = wallMs;
    this.fed = 0;
    this.set('loading');
    const work = this.work;
    try {
      if (!this.source || at < 0) await this.openSource(wallMs, work.signal);
      else await this.empty(work.signal);
    } catch {
      // Another seek took over.
      return;
    }
    if (work === this.work) void this.feed();
  }

  step(seconds: number): void {
    this.pause();
    const at = this.video.currentTime + seconds;
    if (rangeEnd(this.video.buffered, at) !== undefined) this.video.currentTime = at;
    else void this.seek(this.baseMs + at * 1000);
  }

  close(): void {
    this.interrupt();
    clearInterval(this.ticker);
    this.video.removeEventListener('timeupdate', this.onTime);
    this.video.removeEventListener('seeked', this.onTime);
    this.video.removeEventListener('waiting', this.onWaiting);
    this.video.removeEventListener('playing', this.onPlaying);
    this.video.removeEventListener('error', this.onError);
    this.video.pause();
    this.video.removeAttribute('src');
    this.video.load();
    if (this.objectUrl) URL.revokeObjectURL(this.objectUrl);
  }

  private interrupt(): void {
    this.work.abort();
    this.work = new AbortController();
    this.busy = false;
    this.atEnd = false;
    clearTimeout(this.again);
  }

  private async openSource(wallMs: number, signal: AbortSignal): Promise<void> {
    const Source = mediaSourceClass();
    if (!Source) {
      this.set('unsupported');
      return;
    }
    if (this.objectUrl) URL.revokeObjectURL(this.objectUrl);
    this.buffer = undefined;
    this.mime = '';
    const source = new Source();
    this.source = source;
    this.baseMs = wallMs - HEADROOM_MS;
    this.objectUrl = URL.createObjectURL(source);
    const rate = this.video.playbackRate;
    this.video.src = this.objectUrl;
    this.rate = rate;
    await once(source, 'sourceopen', signal);
  }

  /** Drop all that is buffered, so that nothing of another time is shown. */
  private async empty(signal: AbortSignal): Promise<void> {
    const { buffer, source } = this;
    if (!buffer || source?.readyState !== 'open') return;
    // A cut fragment may lie in the parser.
    buffer.abort();
    if (this.video.buffered.length === 0) return;
    buffer.remove(0, Number.POSITIVE_INFINITY);
    await once(buffer, 'updateend', signal);
  }

  /** Fetch and append the next window while one is wanted. One at a time. */
  private async feed(): Promise<void> {
    const { work, cursor } = this;
    if (this.busy || cursor === undefined || work.signal.aborted || this.atEnd) return;
    if (this.wanted === undefined) {
      if (!wantsMore(this.video.buffered, this.video.currentTime, this.rate)) return;
    }
    this.busy = true;
    try {
      const found = await this.ports.open(cursor, windowSeconds(this.fed), work.signal);
      if (work === this.work) await this.take(found, cursor, work.signal);
    } catch (error) {
      if (work === this.work) this.onFeedError(error, cursor);
    } finally {
      if (work === this.work) this.busy = false;
    }
    if (work === this.work && !this.atEnd) void this.feed();
  }

  private async take(found: PlaybackWindow, asked: number, signal: AbortSignal): Promise<void> {
    const mime = `video/mp4; codecs="${found.codecs}"`;
    if (!mediaSourceClass()?.isTypeSupported(mime)) {
      await found.body.cancel();
      this.cursor = undefined;
      this.set('unsupported', found.codecs);
      return;
    }
    this.ports.onCodecs(found.codecs);
    const buffer = await this.bufferFor(mime, signal);
    buffer.timestampOffset = (found.startMs - this.baseMs) / 1000;
    const reader = found.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      if (done) break;
      await this.append(buffer, value, signal);
      this.arrive(found.startMs);
    }
    this.fed += 1;
    this.arrive(found.startMs);
    // A window that brings nothing new would be asked for again without end.
    this.cursor = found.endMs > asked + 1 ? found.endMs : asked + 1000;
  }

  private async bufferFor(mime: string, signal: AbortSignal): Promise<SourceBuffer> {
    if (!this.buffer) {
      if (!this.source) throw new Error('no media source');
      if (this.source.readyState !== 'open') await once(this.source, 'sourceopen', signal);
      this.buffer = this.source.addSourceBuffer(mime);
    } else if (mime !== this.mime) this.buffer.changeType(mime);
    this.mime = mime;
    if (this.buffer.updating) await once(this.buffer, 'updateend', signal);
    return this.buffer;
  }

  private async append(buffer: SourceBuffer, data: Uint8Array, signal: AbortSignal): Promise<void> {
    try {
      buffer.appendBuffer(data as Uint8Array<ArrayBuffer>);
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'QuotaExceededError') throw error;
      buffer.remove(0, Math.max(0.001, this.video.currentTime - 5));
      await once(buffer, 'updateend', signal);
      buffer.appendBuffer(data as Uint8Array<ArrayBuffer>);
    }
    await once(buffer, 'updateend', signal);
  }

  /** Once the wanted moment is buffered, go there. */
  private arrive(startMs: number): void {
    if (this.wanted === undefined) return;
    const at = (Math.max(this.wanted, startMs) - this.baseMs) / 1000;
    const { buffered } = this.video;
    const target = rangeEnd(buffered, at) === undefined ? rangeAfter(buffered, at) : at;
    if (target === undefined) return;
    this.wanted = undefined;
    this.video.currentTime = target;
    this.resume();
  }

  private resume(): void {
    if (!this.playing) {
      this.set('paused');
      return;
    }
    this.video.play().then(
      () => this.playing && this.set('playing'),
      () => undefined,
    );
  }

  private onFeedError(error: unknown, asked: number): void {
    if (error instanceof DOMException && error.name === 'AbortError') return;
    if (error instanceof ApiError && error.status === 404) {
      this.onNothing(nextStart(error), asked);
      return;
    }
    if (error instanceof ApiError && (error.status === 0 || error.status >= 500)) {
      // The banner or the log says why; what is buffered plays on meanwhile.
      this.tryAgain();
      return;
    }
    this.cursor = undefined;
    this.set('failed', error instanceof Error ? error.message : String(error));
  }

  private onNothing(next: number | undefined, asked: number): void {
    if (next !== undefined && next > asked) {
      this.cursor = next;
      if (this.wanted !== undefined) {
        this.ports.onGap(this.wanted, next);
        this.wanted = next;
      }
      return;
    }
    this.atEnd = true;
    if (this.wanted !== undefined) {
      this.wanted = undefined;
      this.cursor = undefined;
      this.set('empty');
    } else if (Date.now() - asked < GROWING_MS) this.tryAgain();
  }

  private tryAgain(): void {
    this.atEnd = true;
    clearTimeout(this.again);
    this.again = setTimeout(() => {
      this.atEnd = false;
      void this.feed();
    }, AGAIN_MS);
  }

  private tick(): void {
    void this.feed();
    this.jumpHole();
    const { buffer } = this;
    if (!buffer || buffer.updating || this.busy || this.source?.readyState !== 'open') return;
    const old = dropBehind(this.video.buffered, this.video.currentTime);
    if (old) buffer.remove(old.from, old.to);
  }

  /** At the end of a range: go on at the next one, or stop when there is none. */
  private jumpHole(): void {
    if (!this.playing || this.wanted !== undefined || !this.buffer) return;
    const { video } = this;
    const at = video.currentTime;
    const end = rangeEnd(video.buffered, at);
    if (end !== undefined && end - at > 0.15) return;
    const next = rangeAfter(video.buffered, at);
    if (next !== undefined) {
      if (next - at > 2) {
        this.ports.onGap(this.baseMs + (end ?? at) * 1000, this.baseMs + next * 1000);
      }
      video.currentTime = next;
      this.resume();
    } else if (this.atEnd && this.state !== 'ended') this.set('ended');
  }

  private readonly onTime = (): void => {
    if (this.wanted === undefined && this.source) {
      this.ports.onTime(this.baseMs + this.video.currentTime * 1000);
    }
  };

  private readonly onWaiting = (): void => {
    if (this.playing && this.state === 'playing') this.set('loading');
    this.jumpHole();
  };

  private readonly onPlaying = (): void => {
    if (this.playing && this.wanted === undefined) this.set('playing');
  };

  private readonly onError = (): void => {
    if (!this.source || !this.video.error) return;
    this.cursor = undefined;
    this.source = undefined;
    this.set('failed', this.video.error.message);
  };

  private set(state: EngineState, detail = ''): void {
    if (state === this.state && !detail) return;
    this.state = state;
    this.ports.onState(state, detail);
  }
}

function once(target: EventTarget, event: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException('Stopped', 'AbortError'));
    if (signal.aborted) {
      stop();
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    target.addEventListener(
      event,
      () => {
        signal.removeEventListener('abort', stop);
        resolve();
      },
      { once: true },
    );
  });
}
