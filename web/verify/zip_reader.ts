// Reads the ZIP of a case, and nothing else: what zip_layout would not write is refused.

import { ParseError, quoted, same } from './bytes';
import type { Entry } from './zip_layout';
import * as layout from './zip_layout';

const MOST_DIRECTORY = layout.MAX_ENTRIES * (layout.CENTRAL + layout.MAX_NAME + 28);
const TAIL = layout.END64 + layout.LOCATOR + layout.END;

interface End {
  readonly files: number;
  readonly size: number;
  readonly at: number;
  readonly length: number;
}

export async function bytesOf(file: Blob, start: number, end: number): Promise<Uint8Array> {
  return new Uint8Array(await file.slice(Math.max(0, start), Math.max(0, end)).arrayBuffer());
}

/** The files of the ZIP, in order. Throws ParseError. */
export async function readEntries(file: Blob): Promise<Entry[]> {
  const size = file.size;
  const end = findEnd(await bytesOf(file, size - TAIL, size), size);
  if (end.files > layout.MAX_ENTRIES) {
    throw new ParseError(`${end.files} files in it; a case has at most ${layout.MAX_ENTRIES}`);
  }
  if (end.size > MOST_DIRECTORY || end.at + end.size + end.length !== size) {
    throw new ParseError('its directory is not where it should be');
  }
  const entries = parseDirectory(await bytesOf(file, end.at, end.at + end.size), end.files);
  let at = 0;
  const names = new Set<string>();
  for (const entry of entries) {
    if (entry.offset !== at) {
      throw new ParseError(`${entry.name} does not follow the file before it`);
    }
    if (names.has(entry.name)) throw new ParseError(`${entry.name} is in it twice`);
    names.add(entry.name);
    at = layout.endOf(entry);
    if (at > end.at) throw new ParseError(`${entry.name} is said to be larger than the ZIP`);
  }
  if (at !== end.at) {
    throw new ParseError('something stands between the last file and the directory');
  }
  return entries;
}

/** Whether all bytes around the files are those that zip_layout makes. */
export async function headersWhole(file: Blob, entries: readonly Entry[]): Promise<boolean> {
  let at = 0;
  for (const entry of entries) {
    const end = entry.offset + layout.localSize(entry.name);
    if (!same(await bytesOf(file, entry.offset, end), layout.localHeader(entry))) return false;
    at = layout.endOf(entry);
  }
  return same(await bytesOf(file, at, file.size), layout.ending(entries, at));
}

function viewOf(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

function findEnd(tail: Uint8Array, size: number): End {
  const view = viewOf(tail);
  let at = tail.length - layout.END;
  if (at < 0 || view.getUint32(at, true) !== layout.END_SIGNATURE) {
    throw new ParseError('it does not end as the ZIP of a case does');
  }
  const [disk, first, here, count] = [4, 6, 8, 10].map((n) => view.getUint16(at + n, true));
  if (disk || first || here !== count || view.getUint16(at + 20, true)) {
    throw new ParseError('its ending is not that of a case');
  }
  const small: End = {
    files: count ?? 0,
    size: view.getUint32(at + 12, true),
    at: view.getUint32(at + 16, true),
    length: layout.END,
  };
  at -= layout.LOCATOR;
  if (at < 0 || view.getUint32(at, true) !== layout.LOCATOR_SIGNATURE) return small;
  at -= layout.END64;
  if (at < 0 || view.getUint32(at, true) !== layout.END64_SIGNATURE) {
    throw new ParseError('its ZIP64 ending is not that of a case');
  }
  const [large, total, length, start] = [24, 32, 40, 48].map((n) =>
    view.getBigUint64(at + n, true),
  );
  const limit = BigInt(size);
  if (
    large === undefined ||
    total === undefined ||
    length === undefined ||
    start === undefined ||
    large !== total ||
    total > limit ||
    length > limit ||
    start > limit
  ) {
    throw new ParseError('its ZIP64 ending is not that of a case');
  }
  return { files: Number(total), size: Number(length), at: Number(start), length: TAIL };
}

function parseDirectory(data: Uint8Array, files: number): Entry[] {
  const view = viewOf(data);
  const entries: Entry[] = [];
  let at = 0;
  while (at < data.length) {
    if (at + layout.CENTRAL > data.length) throw new ParseError('its directory breaks off');
    const start = at;
    const short = (n: number) => view.getUint16(start + n, true);
    const long = (n: number) => view.getUint32(start + n, true);
    const nameLength = short(28);
    const extraLength = short(30);
    at += layout.CENTRAL;
    const raw = data.subarray(at, at + nameLength);
    const extra = data.subarray(at + nameLength, at + nameLength + extraLength);
    at += nameLength + extraLength + short(32);
    if (long(0) !== layout.CENTRAL_SIGNATURE || at > data.length) {
      throw new ParseError('its directory breaks off');
    }
    if (nameLength > layout.MAX_NAME) throw new ParseError(`a name of ${nameLength} bytes in it`);
    const name = String.fromCharCode(...raw);
    if (!layout.isName(name)) {
      throw new ParseError(`a file in it is called ${quoted(name)}, which no case would use`);
    }
    if (short(10) || long(20) !== long(24)) {
      throw new ParseError(`${name} is compressed, which no file of a case is`);
    }
    const [size, offset] = large(name, long(24), long(42), extra);
    entries.push({ name, size, crc: long(16), offset });
    if (entries.length > layout.MAX_ENTRIES) throw new ParseError('more files than it says');
  }
  if (entries.length !== files) {
    throw new ParseError(`its directory names ${entries.length} files, not ${files}`);
  }
  return entries;
}

/** Sizes of files above 4 GiB stand in an extra field. */
function large(name: string, size: number, offset: number, extra: Uint8Array): [number, number] {
  const wanted = (size === layout.FULL32 ? 1 : 0) * 2 + (offset === layout.FULL32 ? 1 : 0);
  if (!wanted) return [size, offset];
  if (extra.length !== 4 + 8 * wanted || extra[0] !== 1 || extra[1] !== 0) {
    throw new ParseError(`${name} lacks its size`);
  }
  const view = viewOf(extra);
  const number = (n: number) => Number(view.getBigUint64(4 + 8 * n, true));
  return [
    size === layout.FULL32 ? number(0) : size,
    offset === layout.FULL32 ? number(wanted - 1) : offset,
  ];
}
