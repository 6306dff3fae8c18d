export type LiveTransport = 'webrtc' | 'mse';

/** One way to show a camera: which of its streams, and how it travels. */
export interface Rung {
  stream: string;
  transport: LiveTransport;
}

/**
 * A running way. It owns its <video>; `close` lets go of everything and may be called twice.
 * `ended` settles once, when the session can show no more; it never rejects.
 */
export interface Session {
  readonly video: HTMLVideoElement;
  /** Resolves with the first picture, rejects with a LiveFailure. */
  readonly ready: Promise<void>;
  readonly ended: Promise<LiveFailure>;
  /** Server to screen, in milliseconds; undefined while unknown. */
  delayMs(): Promise<number | undefined>;
  close(): void;
}

/** `unacceptable`: this way will never do; the others may pass with time. */
export type FailureKind = 'unacceptable' | 'no-media' | 'refused' | 'unreachable' | 'lost';

export class LiveFailure extends Error {
  constructor(
    readonly kind: FailureKind,
    message: string,
  ) {
    super(message);
    this.name = 'LiveFailure';
  }
}

export const sameRung = (a: Rung | undefined, b: Rung | undefined): boolean =>
  a?.stream === b?.stream && a?.transport === b?.transport;
