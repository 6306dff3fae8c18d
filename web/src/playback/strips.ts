/** Sheets of small pictures of the past: which to ask for, and which picture stands for a moment. */

import { getSheet, listStrips, type Strip } from '../api/timeline';
import { MINUTE, type Span } from './timeline';

export const STRIP_MS = 10 * MINUTE;
const MOST_SHEETS = 40;
/** A sheet of a span that still grows is asked for anew after this. */
const GROWING_MS = 60_000;

export interface Cell {
  column: number;
  row: number;
  /** When the small picture was taken. */
  ms: number;
}

/**
 * The small picture that stands for `ms`, if one near it shows what is `recorded`: each stands
 * for the time up to the next, and where that holds no footage it is empty.
 */
export function cellAt(
  strip: Strip,
  ms: number,
  recorded: readonly Span[],
  reach = 30_000,
): Cell | undefined {
  const { times, columns } = strip;
  if (columns < 1) return undefined;
  const filled = (at: number) => {
    const start = times[at];
    if (typeof start !== 'number') return false;
    const end = times.slice(at + 1).find((time) => typeof time === 'number') ?? strip.end;
    return recorded.some((span) => span.start < end && span.end > start);
  };
  let best: number | undefined;
  for (const [index, time] of times.entries()) {
    if (time === null || (best !== undefined && time > ms)) continue;
    if (Math.abs(time - ms) <= reach && filled(index)) best = index;
  }
  if (best === undefined) return undefined;
  return { column: best % columns, row: Math.floor(best / columns), ms: times[best] ?? 0 };
}

/** The start of the strip that holds `ms`. */
export const stripStart = (ms: number): number => Math.floor(ms / STRIP_MS) * STRIP_MS;

export interface Sheet {
  strip: Strip;
  picture: ImageBitmap;
}

interface Kept {
  sheet: Promise<Sheet | undefined>;
  until: number;
}

/** Fetches sheets once, keeps a few, and forgets those longest not used. */
export class Strips {
  private readonly kept = new Map<string, Kept>();

  constructor(
    private readonly list = listStrips,
    private readonly fetch = getSheet,
    private readonly decode: (blob: Blob) => Promise<ImageBitmap> = (blob) =>
      createImageBitmap(blob),
  ) {}

  has(camera: string, ms: number, now = Date.now()): boolean {
    return now < (this.kept.get(`${camera} ${stripStart(ms)}`)?.until ?? 0);
  }

  /** The sheet that shows `ms` of `camera`, undefined where there is none. Never rejects. */
  at(camera: string, ms: number, now = Date.now()): Promise<Sheet | undefined> {
    const start = stripStart(ms);
    const key = `${camera} ${start}`;
    const there = this.kept.get(key);
    if (there && now < there.until) {
      this.kept.delete(key);
      this.kept.set(key, there);
      return there.sheet;
    }
    const growing = now - start < STRIP_MS + GROWING_MS;
    const sheet = this.load(camera, start).catch(() => {
      // Asked for again soon, not at each move of the hand.
      this.kept.set(key, { sheet: Promise.resolve(undefined), until: now + 5000 });
      return undefined;
    });
    this.kept.delete(key);
    this.kept.set(key, { sheet, until: growing ? now + 20_000 : Number.POSITIVE_INFINITY });
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= MOST_SHEETS) break;
      this.kept.delete(oldest);
    }
    return sheet;
  }

  private async load(camera: string, start: number): Promise<Sheet | undefined> {
    const strips = await this.list(camera, start, start + STRIP_MS);
    const strip = strips.find((one) => one.start <= start && one.end > start) ?? strips[0];
    if (!strip) return undefined;
    return { strip, picture: await this.decode(await this.fetch(strip)) };
  }
}

export const strips = new Strips();
