/** How a picture keeps up with the master clock: pure decisions, in milliseconds and rates. */

export const SPEEDS = [0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32] as const;
export type Speed = (typeof SPEEDS)[number];

/** From here on key pictures alone are shown. */
export const KEYS_FROM = 8;
/** Browsers play at no higher rate than 16, and sound is only of use near 1. */
const NEAR_MS = 12;
const FAR_MS = 450;
const MOST_NUDGE = 0.5;
/** Pictures this much too late on the screen, for so long, are more than the decoder can do. */
const LATE_MS = 250;
const LATE_FOR_MS = 1500;

export interface Pace {
  /** Only key pictures are asked for and shown. */
  keys: boolean;
  /** The browser plays by itself; else each picture is sought. */
  free: boolean;
}

/** How to show footage at `rate` (below 0: backwards). `strained`: the decoder fell behind. */
export function paceOf(rate: number, strained: boolean): Pace {
  const speed = Math.abs(rate);
  const keys = speed >= KEYS_FROM || (strained && speed > 1) || rate <= -2;
  return { keys, free: rate > 0 && !keys };
}

export type Correction = { kind: 'rate'; rate: number } | { kind: 'seek' };

/** What to do about a picture that is `drift` ms ahead of the clock (below 0: behind). */
export function correct(drift: number, rate: number): Correction {
  const off = Math.abs(drift);
  if (off > FAR_MS * Math.max(1, rate)) return { kind: 'seek' };
  if (off <= NEAR_MS) return { kind: 'rate', rate };
  const nudge = Math.max(-MOST_NUDGE, Math.min(MOST_NUDGE, drift / 300 / Math.max(1, rate)));
  return { kind: 'rate', rate: rate * (1 - nudge) };
}

/** Notices a decoder that does not keep up: behind by much, again and again or for long. */
export class Strain {
  private seeks: number[] = [];
  private lateSince: number | undefined;

  /** A seek was needed while playing freely; true once it is too many. */
  noteSeek(now: number): boolean {
    this.seeks = [...this.seeks.filter((at) => now - at < 8000), now];
    return this.seeks.length >= 4;
  }

  /** The picture on the screen is `late` ms behind the one due; true once that lasts. */
  noteLate(late: number, rate: number, now: number): boolean {
    if (late < LATE_MS * Math.max(1, rate)) this.lateSince = undefined;
    else this.lateSince ??= now;
    return this.lateSince !== undefined && now - this.lateSince >= LATE_FOR_MS;
  }

  clear(): void {
    this.seeks = [];
    this.lateSince = undefined;
  }
}

/** Seconds of the next window: short ones first, so that the picture comes soon. */
export function windowSeconds(fed: number, rate: number, keys: boolean): number {
  const speed = Math.max(1, Math.abs(rate));
  if (!keys) return fed === 0 ? 8 : 30;
  return Math.min(900, (fed === 0 ? 8 : 20) * speed);
}

/** Milliseconds of footage that should be at hand beyond the clock. */
export function aheadMs(rate: number, keys: boolean): number {
  const speed = Math.max(1, Math.abs(rate));
  return keys ? Math.min(1_200_000, 15_000 * speed) : 20_000 * speed;
}
