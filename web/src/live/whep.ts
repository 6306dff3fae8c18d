/**
 * Live pictures by WebRTC, asked for with WHEP (draft-ietf-wish-whep): POST an offer, DELETE to
 * leave. The server is ICE-lite with its candidates in the answer, so nothing is trickled.
 */

import { ApiError } from '../api/client';
import { LiveFailure, type Session } from './types';
import { createVideo, firstPicture, playSoon } from './video';

const MEDIA_LIMIT_MS = 4000;
const LEAVE_LIMIT_MS = 1000;
const DOUBT_MS = 2000;

export interface WhepPorts {
  /** POST the offer; resolves with the answer and where to DELETE, rejects with ApiError. */
  offer(sdp: string, signal: AbortSignal): Promise<{ sdp: string; location: string }>;
  leave(location: string): Promise<void>;
}

export function playWhep(ports: WhepPorts): Session {
  return new WhepSession(ports);
}

class WhepSession implements Session {
  readonly video = createVideo();
  readonly ready: Promise<void>;
  readonly ended: Promise<LiveFailure>;
  private readonly peer = new RTCPeerConnection();
  private readonly abort = new AbortController();
  private readonly meter = new DelayMeter();
  private readonly shown = new ScreenDelay();
  private location = '';
  private doubt: ReturnType<typeof setTimeout> | undefined;
  private settle: (failure: LiveFailure) => void = () => undefined;

  constructor(private readonly ports: WhepPorts) {
    this.ended = new Promise((resolve) => {
      this.settle = resolve;
    });
    this.ready = this.connect();
    this.ready.catch(() => undefined);
  }

  private async connect(): Promise<void> {
    const { peer, video } = this;
    const transceiver = peer.addTransceiver('video', { direction: 'recvonly' });
    // The least buffering that the network's jitter allows: this is a live view.
    if ('jitterBufferTarget' in transceiver.receiver) transceiver.receiver.jitterBufferTarget = 0;
    peer.addEventListener('track', (event) => {
      video.srcObject = new MediaStream([event.track]);
      playSoon(video);
    });
    peer.addEventListener('connectionstatechange', () => {
      clearTimeout(this.doubt);
      const state = peer.connectionState;
      const lost = () => this.fail(new LiveFailure('lost', 'The WebRTC connection was lost.'));
      if (state === 'failed' || state === 'closed') lost();
      // Short losses mend themselves; waiting for 'failed' would take half a minute.
      else if (state === 'disconnected') this.doubt = setTimeout(lost, DOUBT_MS);
    });
    try {
      await peer.setLocalDescription(await peer.createOffer());
      const answer = await this.ports.offer(peer.localDescription?.sdp ?? '', this.abort.signal);
      this.location = answer.location;
      if (this.abort.signal.aborted) throw new LiveFailure('lost', 'Closed.');
      await peer.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
      await firstPicture(
        video,
        MEDIA_LIMIT_MS,
        () => new LiveFailure('no-media', 'No picture came by WebRTC.'),
        this.abort.signal,
      );
    } catch (error) {
      const failure = asFailure(error);
      this.fail(failure);
      this.close();
      throw failure;
    }
  }

  private fail(failure: LiveFailure): void {
    this.settle(failure);
    this.abort.abort();
  }

  async delayMs(): Promise<number | undefined> {
    if (this.peer.connectionState !== 'connected') return undefined;
    this.shown.sample(this.video);
    const found = this.meter.read(await this.peer.getStats());
    const onScreen = this.shown.milliseconds;
    return onScreen === undefined ? found : onScreen + this.meter.roundTripMs / 2;
  }

  close(): void {
    this.fail(new LiveFailure('lost', 'Closed.'));
    clearTimeout(this.doubt);
    this.video.srcObject = null;
    const { location, peer } = this;
    this.location = '';
    if (!location) {
      peer.close();
      return;
    }
    // The server ends the session and then the peer; the other way round DELETE finds nothing.
    const timer = setTimeout(() => peer.close(), LEAVE_LIMIT_MS);
    void this.ports.leave(location).finally(() => {
      clearTimeout(timer);
      peer.close();
    });
  }
}

/** Map what the server or the browser said to what the ladder does next. */
export function asFailure(error: unknown): LiveFailure {
  if (error instanceof LiveFailure) return error;
  if (error instanceof ApiError) {
    if (error.status === 406 || error.status === 415) {
      return new LiveFailure('unacceptable', error.detail);
    }
    if (error.status === 0) return new LiveFailure('unreachable', error.detail);
    return new LiveFailure('refused', error.detail);
  }
  return new LiveFailure('unacceptable', error instanceof Error ? error.message : String(error));
}

interface FrameTimes {
  receiveTime?: number;
  expectedDisplayTime: number;
}

/**
 * From a frame's arrival to the moment it is on the screen, as the browser says of single frames
 * (`receiveTime` is Chromium's): the median of the last few, so that one late frame is no alarm.
 */
export class ScreenDelay {
  private readonly values: number[] = [];

  sample(video: HTMLVideoElement): void {
    video.requestVideoFrameCallback?.((_, frame) => this.note(frame));
  }

  note({ receiveTime, expectedDisplayTime }: FrameTimes): void {
    if (receiveTime === undefined) return;
    this.values.push(Math.max(0, expectedDisplayTime - receiveTime));
    if (this.values.length > 5) this.values.shift();
  }

  get milliseconds(): number | undefined {
    return [...this.values].sort((a, b) => a - b)[this.values.length >> 1];
  }
}

type InboundVideo = {
  type: string;
  kind?: string;
  framesDecoded?: number;
  totalProcessingDelay?: number;
  jitterBufferDelay?: number;
  jitterBufferEmittedCount?: number;
  totalDecodeTime?: number;
};

/**
 * Delay from the server's socket to a decoded picture: half the round trip, and what each frame
 * spent between its first packet's arrival and the end of decoding since the last reading.
 */
export class DelayMeter {
  private last: InboundVideo | undefined;
  roundTripMs = 0;

  read(report: Iterable<[string, unknown]> | RTCStatsReport): number | undefined {
    let inbound: InboundVideo | undefined;
    let roundTrip = 0;
    for (const [, raw] of report as Iterable<[string, unknown]>) {
      const entry = raw as InboundVideo & { nominated?: boolean; currentRoundTripTime?: number };
      if (entry.type === 'inbound-rtp' && entry.kind === 'video') inbound = entry;
      if (entry.type === 'candidate-pair' && entry.nominated) {
        roundTrip = entry.currentRoundTripTime ?? roundTrip;
      }
    }
    const before = this.last;
    this.last = inbound;
    this.roundTripMs = roundTrip * 1000;
    if (!inbound || !before) return undefined;
    const inside = perFrame(inbound, before);
    return inside === undefined ? undefined : (inside + roundTrip / 2) * 1000;
  }
}

function perFrame(now: InboundVideo, before: InboundVideo): number | undefined {
  const grown = (key: keyof InboundVideo): number =>
    Number(now[key] ?? 0) - Number(before[key] ?? 0);
  const frames = grown('framesDecoded');
  if (frames <= 0) return undefined;
  if (now.totalProcessingDelay !== undefined) return grown('totalProcessingDelay') / frames;
  const emitted = grown('jitterBufferEmittedCount');
  const buffered = emitted > 0 ? grown('jitterBufferDelay') / emitted : 0;
  return buffered + grown('totalDecodeTime') / frames;
}
