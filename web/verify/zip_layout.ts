// The bytes of a case's ZIP around its files, made one way only (storage/export/zip_layout.py):
// whoever knows the names, sizes and check sums can make the same headers again.

import { ascii, joined } from './bytes';

export const MAX_ENTRIES = 100_000;
export const MAX_NAME = 200;
export const LOCAL = 30;
export const CENTRAL = 46;
export const END = 22;
export const END64 = 56;
export const LOCATOR = 20;
export const LOCAL_SIGNATURE = 0x04034b50;
export const CENTRAL_SIGNATURE = 0x02014b50;
export const END_SIGNATURE = 0x06054b50;
export const END64_SIGNATURE = 0x06064b50;
export const LOCATOR_SIGNATURE = 0x07064b50;
export const FULL32 = 0xffffffff;
export const FULL16 = 0xffff;

const DATE = 0x0021;
const MADE_BY = (3 << 8) | 45;
const MODE = (0o100644 << 16) >>> 0;
const EXTRA = 20;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;

/** One file in the ZIP. `offset` is that of its local header; sizes in bytes. */
export interface Entry {
  readonly name: string;
  readonly size: number;
  readonly crc: number;
  readonly offset: number;
}

export function isName(name: string): boolean {
  return name.length <= MAX_NAME && NAME.test(name);
}

export function localSize(name: string): number {
  return LOCAL + name.length + EXTRA;
}

export function dataAt(entry: Entry): number {
  return entry.offset + localSize(entry.name);
}

export function endOf(entry: Entry): number {
  return dataAt(entry) + entry.size;
}

/** Little-endian fields, one behind the other: a number behind its width in bytes. */
function fields(...pairs: readonly number[]): Uint8Array {
  let total = 0;
  for (let n = 0; n < pairs.length; n += 2) total += pairs[n] ?? 0;
  const data = new Uint8Array(total);
  const view = new DataView(data.buffer);
  let at = 0;
  for (let n = 0; n < pairs.length; n += 2) {
    const width = pairs[n] ?? 0;
    const value = pairs[n + 1] ?? 0;
    if (width === 2) view.setUint16(at, value, true);
    else if (width === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += width;
  }
  return data;
}

export function localHeader(entry: Entry): Uint8Array {
  const large = entry.size >= FULL32;
  const size = large ? FULL32 : entry.size;
  const name = ascii(entry.name);
  const head = fields(
    ...[4, LOCAL_SIGNATURE, 2, large ? 45 : 20, 2, 0, 2, 0, 2, 0, 2, DATE, 4, entry.crc],
    ...[4, size, 4, size, 2, name.length, 2, EXTRA],
  );
  const extra = large
    ? fields(2, 0x0001, 2, 16, 8, entry.size, 8, entry.size)
    : fields(2, 0xd935, 2, 16, 8, 0, 8, 0);
  return joined([head, name, extra]);
}

export function centralHeader(entry: Entry): Uint8Array {
  const large = entry.size >= FULL32;
  const far = entry.offset >= FULL32;
  const count = (large ? 16 : 0) + (far ? 8 : 0);
  const extra = count
    ? fields(
        ...[2, 0x0001, 2, count],
        ...(large ? [8, entry.size, 8, entry.size] : []),
        ...(far ? [8, entry.offset] : []),
      )
    : new Uint8Array();
  const size = large ? FULL32 : entry.size;
  const name = ascii(entry.name);
  const head = fields(
    ...[4, CENTRAL_SIGNATURE, 2, MADE_BY, 2, count ? 45 : 20, 2, 0, 2, 0, 2, 0, 2, DATE],
    ...[4, entry.crc, 4, size, 4, size, 2, name.length, 2, extra.length, 2, 0, 2, 0, 2, 0],
    ...[4, MODE, 4, far ? FULL32 : entry.offset],
  );
  return joined([head, name, extra]);
}

/** The central directory, which stands at offset `at`, and all that follows it. */
export function ending(entries: readonly Entry[], at: number): Uint8Array {
  const directory = joined(entries.map(centralHeader));
  const count = entries.length;
  const size = directory.length;
  const parts = [directory];
  if (count >= FULL16 || size >= FULL32 || at >= FULL32) {
    parts.push(
      fields(
        ...[4, END64_SIGNATURE, 8, 44, 2, MADE_BY, 2, 45, 4, 0, 4, 0],
        ...[8, count, 8, count, 8, size, 8, at],
      ),
      fields(4, LOCATOR_SIGNATURE, 4, 0, 8, at + size, 4, 1),
    );
  }
  const few = Math.min(count, FULL16);
  parts.push(
    fields(
      ...[4, END_SIGNATURE, 2, 0, 2, 0, 2, few, 2, few],
      ...[4, Math.min(size, FULL32), 4, Math.min(at, FULL32), 2, 0],
    ),
  );
  return joined(parts);
}
