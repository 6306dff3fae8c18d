/**
 * Live pictures as fragmented MP4 over a WebSocket, played with Media Source Extensions. The
 * first message names the codec, then comes the init segment, then one fragment per picture; a
 * `reset` message begins again with new parameters.
 */

import { AppendQueue, chase, LagTarget, trim } from './edge';
import { mediaSourceClass } from './ladder';
import { type FailureKind, LiveFailure, type Session } from './types';
import { createVideo, firstPicture, playSoon } from './video';

const MEDIA_LIMIT_MS = 6000;
const QUIET_LIMIT_MS = 8000;

export interface MsePorts {
  url: string;
  token(): Promise<string>;
}

interface Announcement {
  mime?: string;
  reset?: boolean;
  error?: string;
  detail?: string;
}

export function playMse(ports: MsePorts): Session {
  return new MseSession(ports);
}

class MseSession implements Session {
  readonly video = createVideo();
  readonly ready: Promise<void>;
  readonly ended: Promise<LiveFailure>;
  private readonly source: MediaSource;
  private readonly objectUrl: string;
  private readonly queue = new AppendQueue();
  private readonly target = new LagTarget();
  private readonly abort = new AbortController();
  private socket: WebSocket | undefined;
  private buffer: SourceBuffer | undefined;
  private pendingMime = '';
  private clearFirst = false;
  private heardAt = performance.now();
  private ticker: ReturnType<typeof setInterval> | undefined;
  private settle: (failure: LiveFailure) => void = () => undefined;

  constructor(private readonly ports: MsePorts) {
    this.ended = new Promise((resolve) => {
      this.settle = resolve;
    });
    const Source = mediaSourceClass();
    if (!Source) throw new LiveFailure('unacceptable', 'This browser has no Media Source.');
    this.source = new Source();
    this.objectUrl = URL.createObjectURL(this.source);
    this.video.src = this.objectUrl;
    this.video.addEventListener('waiting', () => this.target.ranDry());
    this.video.addEventListener('error', () =>
      this.fail(new LiveFailure('unacceptable', this.video.error?.message ?? 'Decoding failed.')),
    );
    this.ready = this.connect();
    this.ready.catch(() => undefined);
  }

  private async connect(): Promise<void> {
    try {
      await this.opened();
      const token = await this.ports.token();
      if (this.abort.signal.aborted) throw new LiveFailure('lost', 'Closed.');
      this.openSocket(token);
      await firstPicture(
        this.video,
        MEDIA_LIMIT_MS,
        () => new LiveFailure('no-media', 'No picture came over the WebSocket.'),
        this.abort.signal,
      );
      this.ticker = setInterval(() => this.everySecond(), 1000);
    } catch (error) {
      const failure =
        this.failure ??
        (error instanceof LiveFailure ? error : new LiveFailure('unreachable', String(error)));
      this.fail(failure);
      this.close();
      throw failure;
    }
  }

  private opened(): Promise<void> {
    if (this.source.readyState === 'open') return Promise.resolve();
    return new Promise((resolve) => {
      this.source.addEventListener('sourceopen', () => resolve(), { once: true });
    });
  }

  private openSocket(token: string): void {
    const socket = new WebSocket(this.ports.url);
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => socket.send(JSON.stringify({ token })));
    socket.addEventListener('message', (event: MessageEvent<string | ArrayBuffer>) => {
      this.heardAt = performance.now();
      if (typeof event.data === 'string') this.announce(event.data);
      else this.receive(event.data);
    });
    socket.addEventListener('close', (event) =>
      this.fail(new LiveFailure(kindOfClose(event.code), event.reason)),
    );
    this.socket = socket;
  }

  private announce(text: string): void {
    let message: Announcement;
    try {
      message = JSON.parse(text) as Announcement;
    } catch {
      this.fail(new LiveFailure('refused', 'The server said something unreadable.'));
      return;
    }
    if (!message.mime) {
      const why = message.error ?? message.detail;
      if (why) this.fail(new LiveFailure('refused', why));
      return;
    }
    if (!mediaSourceClass()?.isTypeSupported(message.mime)) {
      this.fail(new LiveFailure('unacceptable', message.mime));
      return;
    }
    this.queue.clear();
    this.pendingMime = message.mime;
    this.clearFirst = this.buffer !== undefined;
    this.pump();
  }

  private receive(data: ArrayBuffer): void {
    if (!this.queue.push(data)) {
      this.fail(new LiveFailure('lost', 'The browser fell too far behind.'));
      return;
    }
    this.pump();
  }

  /** Do the one next thing the SourceBuffer is free for. */
  private pump(): void {
    if (this.abort.signal.aborted || this.source.readyState !== 'open') return;
    if (this.buffer?.updating) return;
    try {
      if (!this.buffer) this.addBuffer();
      else if (this.clearFirst) this.startAgain(this.buffer);
      else if (!this.trimmed(this.buffer)) this.append(this.buffer);
    } catch (error) {
      this.onAppendError(error);
    }
  }

  private addBuffer(): void {
    if (!this.pendingMime) return;
    const buffer = this.source.addSourceBuffer(this.pendingMime);
    this.pendingMime = '';
    this.buffer = buffer;
    buffer.addEventListener('updateend', () => {
      this.keepUp();
      this.pump();
    });
    this.pump();
  }

  private startAgain(buffer: SourceBuffer): void {
    this.clearFirst = false;
    if (this.pendingMime) buffer.changeType(this.pendingMime);
    this.pendingMime = '';
    if (buffer.buffered.length > 0) buffer.remove(0, Number.POSITIVE_INFINITY);
    else this.pump();
  }

  private trimmed(buffer: SourceBuffer): boolean {
    const old = trim(buffer.buffered, this.video.currentTime);
    if (!old) return false;
    buffer.remove(old.from, old.to);
    return true;
  }

  private append(buffer: SourceBuffer): void {
    const data = this.queue.take();
    if (data) buffer.appendBuffer(data);
  }

  private onAppendError(error: unknown): void {
    const full = error instanceof DOMException && error.name === 'QuotaExceededError';
    this.fail(new LiveFailure(full ? 'lost' : 'unacceptable', String(error)));
  }

  private keepUp(): void {
    const { video } = this;
    const move = chase(video.buffered, video.currentTime, this.target.seconds);
    if (move.seek !== undefined) video.currentTime = move.seek;
    if (video.playbackRate !== move.rate) video.playbackRate = move.rate;
    if (video.paused) playSoon(video);
  }

  private everySecond(): void {
    this.target.calm();
    if (performance.now() - this.heardAt > QUIET_LIMIT_MS) {
      this.fail(new LiveFailure('lost', 'The server has gone quiet.'));
    }
  }

  private failure: LiveFailure | undefined;

  private fail(failure: LiveFailure): void {
    if (this.failure) return;
    this.failure = failure;
    this.settle(failure);
    this.abort.abort();
  }

  delayMs(): Promise<number | undefined> {
    const { buffered, currentTime } = this.video;
    if (buffered.length === 0) return Promise.resolve(undefined);
    const lag = buffered.end(buffered.length - 1) - currentTime;
    return Promise.resolve(Math.max(0, lag * 1000));
  }

  close(): void {
    this.fail(new LiveFailure('lost', 'Closed.'));
    clearInterval(this.ticker);
    this.socket?.close(1000);
    this.video.pause();
    this.video.removeAttribute('src');
    this.video.load();
    URL.revokeObjectURL(this.objectUrl);
  }
}

/** The server's close codes: not playable this way; no, or not now; anything else is the network. */
function kindOfClose(code: number): FailureKind {
  if (code === 4406) return 'unacceptable';
  return code >= 4000 ? 'refused' : 'lost';
}
