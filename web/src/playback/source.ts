/**
 * A MediaSource on a <video> whose media time and wall time differ by a constant. Takes windows
 * of footage in any order, and says which pictures came.
 */

import type { PlaybackWindow } from '../api/recordings';
import { mediaSourceClass } from '../live/ladder';
import { PictureTimes } from './mp4-times';
import type { Picture } from './pictures';

/** Media time begins this far before the first wish, so that going back seldom starts anew. */
const HEADROOM_MS = 26 * 3_600_000;

export class Unsupported extends Error {
  constructor(readonly codecs: string) {
    super(codecs);
  }
}

export class Source {
  private media: MediaSource | undefined;
  private buffer: SourceBuffer | undefined;
  private mime = '';
  private objectUrl = '';
  baseMs = 0;

  constructor(private readonly video: HTMLVideoElement) {}

  seconds(ms: number): number {
    return (ms - this.baseMs) / 1000;
  }

  ms(seconds: number): number {
    return this.baseMs + seconds * 1000;
  }

  get open(): boolean {
    return this.media?.readyState === 'open' && this.buffer !== undefined;
  }

  /** Whether `found` fits behind what is there: as many tracks, not before media time 0. */
  private fits(found: PlaybackWindow, mime: string): boolean {
    if (!this.buffer || this.media?.readyState !== 'open') return false;
    return count(mime) === count(this.mime) && this.seconds(found.startMs) >= 0;
  }

  /** Append a window as it comes. `tell` hears of pictures once they are in the buffer. */
  async take(
    found: PlaybackWindow,
    signal: AbortSignal,
    tell: (pictures: Picture[], renewed: boolean) => void,
  ): Promise<void> {
    const mime = `video/mp4; codecs="${found.codecs}"`;
    if (!mediaSourceClass()?.isTypeSupported(mime)) {
      await found.body.cancel();
      throw new Unsupported(found.codecs);
    }
    let renewed = false;
    if (!this.fits(found, mime)) {
      await this.renew(found.startMs, mime, signal);
      renewed = true;
    }
    const { buffer } = this;
    if (!buffer) throw new Error('no buffer');
    await idle(buffer, signal);
    // A window that was left before its end may have a cut fragment in the parser.
    buffer.abort();
    if (mime !== this.mime) buffer.changeType(mime);
    this.mime = mime;
    buffer.timestampOffset = this.seconds(found.startMs);
    const times = new PictureTimes();
    const reader = found.body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (signal.aborted) throw stopped();
        if (done) return;
        const pictures = times.push(value).map((one) => ({
          ms: found.startMs + one.at * 1000,
          key: one.key,
        }));
        await this.append(buffer, value, signal);
        tell(pictures, renewed);
        renewed = false;
      }
    } finally {
      reader.cancel().catch(() => undefined);
    }
  }

  private async renew(startMs: number, mime: string, signal: AbortSignal): Promise<void> {
    const Media = mediaSourceClass();
    if (!Media) throw new Unsupported('');
    const { playbackRate, muted } = this.video;
    this.drop();
    const media = new Media();
    this.media = media;
    this.baseMs = startMs - HEADROOM_MS;
    this.objectUrl = URL.createObjectURL(media);
    this.video.src = this.objectUrl;
    this.video.defaultPlaybackRate = playbackRate;
    this.video.playbackRate = playbackRate;
    this.video.muted = muted;
    await once(media, 'sourceopen', signal);
    this.buffer = media.addSourceBuffer(mime);
    this.mime = mime;
  }

  private async append(buffer: SourceBuffer, data: Uint8Array, signal: AbortSignal): Promise<void> {
    await idle(buffer, signal);
    try {
      buffer.appendBuffer(data as Uint8Array<ArrayBuffer>);
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'QuotaExceededError') throw error;
      const at = this.video.currentTime;
      buffer.remove(0, Math.max(0.001, at - 5));
      await idle(buffer, signal);
      buffer.appendBuffer(data as Uint8Array<ArrayBuffer>);
    }
    await idle(buffer, signal);
  }

  /** Forget [startMs, endMs); false where the buffer is at work, to be asked again. */
  remove(startMs: number, endMs: number): boolean {
    const { buffer } = this;
    if (!buffer || buffer.updating || this.media?.readyState !== 'open') return false;
    const start = Math.max(0, this.seconds(startMs));
    const end = this.seconds(endMs);
    if (end <= start) return false;
    buffer.remove(start, end);
    return true;
  }

  /** Let go of everything; the next window begins anew. */
  drop(): void {
    this.buffer = undefined;
    this.media = undefined;
    this.mime = '';
    if (this.objectUrl) URL.revokeObjectURL(this.objectUrl);
    this.objectUrl = '';
  }

  close(): void {
    this.drop();
    this.video.pause();
    this.video.removeAttribute('src');
    this.video.load();
  }
}

const count = (mime: string): number => mime.split(',').length;

const stopped = () => new DOMException('Stopped', 'AbortError');

async function idle(buffer: SourceBuffer, signal: AbortSignal): Promise<void> {
  while (buffer.updating) await once(buffer, 'updateend', signal);
}

function once(target: EventTarget, event: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(stopped());
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
