/**
 * Reads out of fragmented MP4, as it comes, when each picture is shown (ISO/IEC 14496-12:
 * mdhd, hdlr, tfhd, tfdt, trun). Only what playback's answers hold is understood.
 */

export interface PictureTime {
  /** Seconds from the start of the answer. */
  at: number;
  key: boolean;
}

/** A box of headers larger than this is not one of ours. */
const MOST_HEADERS = 8 << 20;
/** A run of samples longer than this is not one of ours either. */
const MOST_SAMPLES = 100_000;
const SYNC_MASK = 0x0001_0000;

export class PictureTimes {
  private rest: Uint8Array = new Uint8Array();
  private skip = 0;
  private track = 0;
  private scale = 0;

  /** Feed the next bytes; the times of the pictures whose headers became complete. */
  push(chunk: Uint8Array): PictureTime[] {
    const found: PictureTime[] = [];
    let data = chunk;
    if (this.skip > 0) {
      const taken = Math.min(this.skip, data.length);
      this.skip -= taken;
      data = data.subarray(taken);
    }
    if (this.rest.length > 0) {
      const joined = new Uint8Array(this.rest.length + data.length);
      joined.set(this.rest);
      joined.set(data, this.rest.length);
      data = joined;
    }
    while (data.length >= 8) {
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      const size = view.getUint32(0);
      const kind = view.getUint32(4);
      if (size < 8) throw new Error('not fragmented MP4');
      if (kind !== MOOV && kind !== MOOF) {
        this.skip = Math.max(0, size - data.length);
        data = data.subarray(Math.min(size, data.length));
        if (this.skip > 0) break;
        continue;
      }
      if (size > MOST_HEADERS) throw new Error('headers too large');
      if (data.length < size) break;
      const body = new DataView(data.buffer, data.byteOffset + 8, size - 8);
      if (kind === MOOV) this.readMoov(body);
      else this.readMoof(body, found);
      data = data.subarray(size);
    }
    this.rest = data.slice();
    return found;
  }

  private readMoov(moov: DataView): void {
    for (const [kind, trak] of boxes(moov)) {
      if (kind !== TRAK) continue;
      let id = 0;
      let scale = 0;
      let video = false;
      walk(trak, (name, box) => {
        const wide = box.getUint8(0) === 1;
        if (name === TKHD) id = box.getUint32(wide ? 20 : 12);
        if (name === MDHD) scale = box.getUint32(wide ? 20 : 12);
        if (name === HDLR) video = box.getUint32(8) === VIDE;
      });
      if (video && scale > 0) {
        this.track = id;
        this.scale = scale;
      }
    }
  }

  private readMoof(moof: DataView, found: PictureTime[]): void {
    for (const [kind, traf] of boxes(moof)) {
      if (kind !== TRAF) continue;
      let began = 0;
      let defaults = { duration: 0, flags: 0 };
      for (const [name, box] of boxes(traf)) {
        if (name === TFHD) {
          if (box.getUint32(4) !== this.track) break;
          defaults = readTfhd(box);
        } else if (name === TFDT) {
          began = box.getUint8(0) === 1 ? Number(box.getBigUint64(4)) : box.getUint32(4);
        } else if (name === TRUN) {
          began = this.readTrun(box, began, defaults, found);
        }
      }
    }
  }

  private readTrun(
    box: DataView,
    began: number,
    defaults: { duration: number; flags: number },
    found: PictureTime[],
  ): number {
    const flags = box.getUint32(0) & 0xffffff;
    const count = box.getUint32(4);
    if (count > MOST_SAMPLES) throw new Error('too many samples');
    let at = 8 + (flags & 0x1 ? 4 : 0);
    const firstFlags = flags & 0x4 ? box.getUint32(at) : undefined;
    if (flags & 0x4) at += 4;
    let decoded = began;
    for (let index = 0; index < count; index += 1) {
      let { duration, flags: sample } = defaults;
      if (index === 0 && firstFlags !== undefined) sample = firstFlags;
      let offset = 0;
      if (flags & 0x100) {
        duration = box.getUint32(at);
        at += 4;
      }
      if (flags & 0x200) at += 4;
      if (flags & 0x400) {
        sample = box.getUint32(at);
        at += 4;
      }
      if (flags & 0x800) {
        offset = box.getInt32(at);
        at += 4;
      }
      found.push({ at: (decoded + offset) / this.scale, key: (sample & SYNC_MASK) === 0 });
      decoded += duration;
    }
    return decoded;
  }
}

function readTfhd(box: DataView): { duration: number; flags: number } {
  const flags = box.getUint32(0) & 0xffffff;
  let at = 8;
  if (flags & 0x1) at += 8;
  if (flags & 0x2) at += 4;
  let duration = 0;
  if (flags & 0x8) {
    duration = box.getUint32(at);
    at += 4;
  }
  if (flags & 0x10) at += 4;
  return { duration, flags: flags & 0x20 ? box.getUint32(at) : 0 };
}

const code = (name: string): number =>
  [...name].reduce((sum, letter) => sum * 256 + letter.charCodeAt(0), 0);
const MOOV = code('moov');
const MOOF = code('moof');
const TRAK = code('trak');
const MDIA = code('mdia');
const TKHD = code('tkhd');
const MDHD = code('mdhd');
const HDLR = code('hdlr');
const VIDE = code('vide');
const TRAF = code('traf');
const TFHD = code('tfhd');
const TFDT = code('tfdt');
const TRUN = code('trun');

function* boxes(view: DataView): Generator<[number, DataView]> {
  let at = 0;
  while (at + 8 <= view.byteLength) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > view.byteLength) return;
    yield [view.getUint32(at + 4), new DataView(view.buffer, view.byteOffset + at + 8, size - 8)];
    at += size;
  }
}

function walk(view: DataView, tell: (kind: number, box: DataView) => void): void {
  for (const [kind, box] of boxes(view)) {
    if (kind === MDIA) walk(box, tell);
    else if (box.byteLength >= 16) tell(kind, box);
  }
}
