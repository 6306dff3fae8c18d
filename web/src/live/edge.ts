/** The arithmetic of staying at the live edge with MSE: pure, in seconds. */

export interface Ranges {
  readonly length: number;
  start(index: number): number;
  end(index: number): number;
}

export interface Move {
  /** Seek here first. */
  seek?: number;
  rate: number;
}

/** Behind the wanted lag by more than this, a seek is better than a chase. */
const SEEK_BEYOND = 1.0;
const MIN_TARGET = 0.06;
const MAX_TARGET = 0.8;

/**
 * How far behind the newest picture to play. It starts at two frames, grows each time the video
 * runs dry and shrinks slowly while it does not.
 */
export class LagTarget {
  private value: number;

  constructor(frameSeconds = 0.04) {
    this.value = clamp(frameSeconds * 2);
  }

  get seconds(): number {
    return this.value;
  }

  ranDry(): void {
    this.value = clamp(this.value + 0.06);
  }

  /** Call once a second. */
  calm(): void {
    this.value = clamp(this.value - 0.002);
  }
}

const clamp = (value: number): number => Math.min(MAX_TARGET, Math.max(MIN_TARGET, value));

/** What to do so that `current` plays `target` behind the end of `buffered`. */
export function chase(buffered: Ranges, current: number, target: number): Move {
  if (buffered.length === 0) return { rate: 1 };
  const last = buffered.length - 1;
  const end = buffered.end(last);
  const start = buffered.start(last);
  const lag = end - current;
  const edge = Math.max(start, end - target / 2);
  if (current < start - 0.001 || lag < -0.2) return { seek: edge, rate: 1 };
  if (lag > target + SEEK_BEYOND) return { seek: edge, rate: 1 };
  if (lag > target * 2.5) return { rate: 1.15 };
  if (lag > target * 1.5) return { rate: 1.05 };
  if (lag < target * 0.4) return { rate: 0.97 };
  return { rate: 1 };
}

/** What to drop from the buffer: everything older than `keep` behind, once that is `slack` more. */
export function trim(
  buffered: Ranges,
  current: number,
  keep = 6,
  slack = 8,
): { from: number; to: number } | undefined {
  if (buffered.length === 0) return undefined;
  const from = buffered.start(0);
  const to = current - keep;
  return to - from > slack ? { from, to } : undefined;
}

/** What waits to be appended. `push` says false when the bound is passed: start again. */
export class AppendQueue {
  private readonly waiting: ArrayBuffer[] = [];
  private held = 0;

  constructor(private readonly limitBytes = 24 * 1024 * 1024) {}

  get size(): number {
    return this.held;
  }

  push(data: ArrayBuffer): boolean {
    if (this.held + data.byteLength > this.limitBytes) return false;
    this.waiting.push(data);
    this.held += data.byteLength;
    return true;
  }

  /** Everything that waits, joined: one append for many fragments after a pause. */
  take(): ArrayBuffer | undefined {
    if (this.waiting.length === 0) return undefined;
    const parts = this.waiting.splice(0);
    const total = this.held;
    this.held = 0;
    if (parts.length === 1) return parts[0];
    const joined = new Uint8Array(total);
    let at = 0;
    for (const part of parts) {
      joined.set(new Uint8Array(part), at);
      at += part.byteLength;
    }
    return joined.buffer;
  }

  clear(): void {
    this.waiting.length = 0;
    this.held = 0;
  }
}
