/** Which ways to show a camera this browser has, the best first. Pure: the browser is asked once. */

import type { Rung } from './types';

export interface Capabilities {
  /** Lower-case codec names that WebRTC and MSE can play: 'h264', 'h265'. */
  webrtc: ReadonlySet<string>;
  mse: ReadonlySet<string>;
}

export interface Candidate {
  stream: string;
  /** Undefined while the camera has not said: then every way is tried. */
  codec: string | undefined;
}

export type Want = 'main' | 'sub';

/**
 * The ladder for `candidates`. The wanted stream comes first, by WebRTC, then by MSE; a stream
 * whose codec cannot be played is left out, so an H.265 main falls to an H.264 sub stream.
 * `webrtcBlocked`: WebRTC reached nobody lately (UDP is filtered), so MSE goes first.
 */
export function ladder(
  candidates: readonly Candidate[],
  want: Want,
  can: Capabilities,
  webrtcBlocked = false,
): Rung[] {
  const wanted = candidates.find((candidate) => candidate.stream === want);
  const others = candidates.filter((candidate) => candidate !== wanted);
  const order = wanted ? [wanted, ...others] : [...others];
  const rungs: Rung[] = [];
  for (const { stream, codec } of order) {
    const webrtc = codec === undefined ? can.webrtc.size > 0 : can.webrtc.has(codec);
    const mse = codec === undefined ? can.mse.size > 0 : can.mse.has(codec);
    const ways: Rung[] = [];
    if (webrtc) ways.push({ stream, transport: 'webrtc' });
    if (mse) ways.push({ stream, transport: 'mse' });
    rungs.push(...(webrtcBlocked ? ways.reverse() : ways));
  }
  return rungs;
}

/** Ask this browser what it can play. */
export function detectCapabilities(): Capabilities {
  const webrtc = new Set<string>();
  if (typeof RTCRtpReceiver !== 'undefined' && typeof RTCPeerConnection !== 'undefined') {
    for (const codec of RTCRtpReceiver.getCapabilities?.('video')?.codecs ?? []) {
      if (codec.mimeType.toLowerCase() === 'video/h264') webrtc.add('h264');
      if (codec.mimeType.toLowerCase() === 'video/h265') webrtc.add('h265');
    }
  }
  const mse = new Set<string>();
  const source = mediaSourceClass();
  if (source?.isTypeSupported('video/mp4; codecs="avc1.42E01F"')) mse.add('h264');
  if (source?.isTypeSupported('video/mp4; codecs="hvc1.1.6.L93.B0"')) mse.add('h265');
  return { webrtc, mse };
}

/** iPhones have only ManagedMediaSource, which behaves alike for our use. */
export function mediaSourceClass(): typeof MediaSource | undefined {
  const managed = (globalThis as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource;
  return managed ?? globalThis.MediaSource;
}

let detected: Capabilities | undefined;
export function capabilities(): Capabilities {
  detected ??= detectCapabilities();
  return detected;
}

/**
 * Remembers, for a while, that WebRTC connects to nobody here, so that each tile need not wait
 * for its own time limit. One success clears it.
 */
export class WebrtcHealth {
  private failures = 0;
  private until = 0;

  constructor(
    private readonly now: () => number = () => performance.now(),
    private readonly limit = 2,
    private readonly holdMs = 300_000,
  ) {}

  failed(): void {
    this.failures += 1;
    if (this.failures >= this.limit) this.until = this.now() + this.holdMs;
  }

  worked(): void {
    this.failures = 0;
    this.until = 0;
  }

  get blocked(): boolean {
    if (this.until && this.now() >= this.until) this.worked();
    return this.until > 0;
  }
}
