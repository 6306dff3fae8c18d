import { describe, expect, it } from 'vitest';
import { type PictureTime, PictureTimes } from './mp4-times';

const SCALE = 90_000;
const STEP = 6000;

const u32 = (...values: number[]): number[] =>
  values.flatMap((one) => [(one >>> 24) & 255, (one >>> 16) & 255, (one >>> 8) & 255, one & 255]);
const text = (word: string): number[] => [...word].map((letter) => letter.charCodeAt(0));
const box = (kind: string, ...parts: number[][]): number[] => {
  const body = parts.flat();
  return [...u32(body.length + 8), ...text(kind), ...body];
};

function trak(id: number, handler: string, scale: number): number[] {
  return box(
    'trak',
    box('tkhd', u32(0, 0, 0, id, 0, 0)),
    box(
      'mdia',
      box('mdhd', u32(0, 0, 0, scale, 0, 0)),
      box('hdlr', u32(0, 0), text(handler), u32(0, 0, 0)),
    ),
  );
}

const moov = box('moov', trak(1, 'vide', SCALE), trak(2, 'soun', 48_000));

/** A fragment of three pictures in the order of decoding 0, 2, 1, and one of sound before it. */
function fragment(began: number): number[] {
  const sample = (offset: number, key: boolean) => u32(STEP, 5, key ? 0 : 0x0001_0000, offset);
  const traf = box(
    'traf',
    box('tfhd', u32(0x020000, 1)),
    box('tfdt', u32(0x0100_0000, 0, began)),
    box('trun', u32(0x0100_0f01, 3, 0), sample(0, true), sample(STEP, false), sample(-STEP, false)),
  );
  const sound = box(
    'traf',
    box('tfhd', u32(0x020000, 2)),
    box('tfdt', u32(0x0100_0000, 0, 77)),
    box('trun', u32(0x000001, 4, 0)),
  );
  return [...box('moof', sound, traf), ...box('mdat', new Array(700).fill(7))];
}

const bytes = new Uint8Array([...box('ftyp', text('iso6')), ...moov, ...fragment(0)]);
const two = new Uint8Array([...bytes, ...fragment(3 * STEP)]);
const wanted = [0, 2, 1, 3, 5, 4].map((number) => ({
  at: (number * STEP) / SCALE,
  key: number % 3 === 0,
}));

function pushed(data: Uint8Array, sizes: () => number): PictureTime[] {
  const times = new PictureTimes();
  const found: PictureTime[] = [];
  for (let at = 0; at < data.length; ) {
    const size = Math.max(1, sizes());
    found.push(...times.push(data.subarray(at, at + size)));
    at += size;
  }
  return found;
}

describe('PictureTimes', () => {
  it('tells when each picture is shown, of video alone', () => {
    expect(pushed(two, () => two.length)).toEqual(wanted);
  });

  it('does not mind where the bytes are cut', () => {
    for (const size of [1, 2, 3, 7, 8, 9, 64, 701]) {
      expect(pushed(two, () => size)).toEqual(wanted);
    }
    let seed = 1;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % 90;
    };
    for (let round = 0; round < 50; round += 1) expect(pushed(two, random)).toEqual(wanted);
  });

  it('ends on what is no fragmented MP4, whatever it is', () => {
    expect(() => new PictureTimes().push(new Uint8Array(64))).toThrow('not fragmented');
    const huge = new Uint8Array([...u32(0x7fff_ffff), ...text('moov')]);
    expect(() => new PictureTimes().push(huge)).toThrow('too large');
    const endless = box(
      'moof',
      box(
        'traf',
        box('tfhd', u32(0x020000, 1)),
        box('tfdt', u32(0, 0)),
        box('trun', u32(0, 0xffff_ffff)),
      ),
    );
    const many = new Uint8Array([...moov, ...endless]);
    expect(() => new PictureTimes().push(many)).toThrow('too many');
    for (let at = 0; at < two.length; at += 1) {
      const broken = two.slice();
      broken[at] = 255 - (broken[at] ?? 0);
      try {
        const found = pushed(broken, () => 97);
        expect(found.length).toBeLessThan(100);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }
  });
});
