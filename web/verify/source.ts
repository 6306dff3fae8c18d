// A case as it was handed to the page: its ZIP, or the files of the folder it was unpacked to.

import { joined, ParseError, quoted } from './bytes';
import { dataAt, type Entry, isName, MAX_ENTRIES } from './zip_layout';
import { bytesOf, headersWhole, readEntries } from './zip_reader';

const CHUNK = 1 << 20;

/** The files of a case. Errors: ParseError, and what reading a file throws. */
export interface Source {
  readonly sizes: ReadonlyMap<string, number>;
  chunks(name: string): AsyncGenerator<Uint8Array>;
  /** What is wrong around the files, '' where nothing is; `sums` are CRC-32 by name. */
  containerProblem(sums: ReadonlyMap<string, string>): Promise<string>;
}

/** A file of an unpacked case, its path relative to the folder. */
export interface Unpacked {
  readonly path: string;
  readonly file: Blob;
}

async function* chunksOf(file: Blob, start: number, size: number): AsyncGenerator<Uint8Array> {
  for (let at = start; at < start + size; at += CHUNK) {
    const data = await bytesOf(file, at, Math.min(at + CHUNK, start + size));
    if (!data.length) return;
    yield data;
  }
}

/** Throws ParseError where it cannot be a case. */
export async function openZip(file: Blob): Promise<Source> {
  const entries = new Map<string, Entry>();
  for (const entry of await readEntries(file)) entries.set(entry.name, entry);
  const entryOf = (name: string): Entry => {
    const found = entries.get(name);
    if (!found) throw new ParseError(`${name} is missing`);
    return found;
  };
  return {
    sizes: new Map([...entries].map(([name, entry]) => [name, entry.size])),
    chunks: (name) => chunksOf(file, dataAt(entryOf(name)), entryOf(name).size),
    async containerProblem(sums) {
      if (!(await headersWhole(file, [...entries.values()]))) {
        return "the ZIP's own headers are not as they were written";
      }
      for (const [name, entry] of entries) {
        const sum = sums.get(name);
        if (sum !== undefined && sum !== entry.crc.toString(16).padStart(8, '0')) {
          return `the ZIP's check sum of ${name} is not as it was written`;
        }
      }
      return '';
    },
  };
}

/** Throws ParseError where it cannot be a case. */
export function openFolder(unpacked: readonly Unpacked[]): Source {
  const files = new Map<string, Blob>();
  for (const { path, file } of unpacked) {
    if (!isName(path)) {
      throw new ParseError(`a file in it is called ${quoted(path)}, which no case would use`);
    }
    if (files.size >= MAX_ENTRIES) throw new ParseError(`more than ${MAX_ENTRIES} files in it`);
    files.set(path, file);
  }
  return {
    sizes: new Map([...files].map(([path, file]) => [path, file.size])),
    chunks(name) {
      const file = files.get(name);
      if (!file) throw new ParseError(`${name} is missing`);
      return chunksOf(file, 0, file.size);
    },
    containerProblem: () => Promise.resolve(''),
  };
}

/** Throws ParseError where it is not there or has more than `limit` bytes. */
export async function readWhole(source: Source, name: string, limit: number): Promise<Uint8Array> {
  const size = source.sizes.get(name);
  if (size === undefined) throw new ParseError(`${name} is missing`);
  if (size > limit) {
    throw new ParseError(`${name} has ${size} bytes; at most ${limit} are read`);
  }
  const parts: Uint8Array[] = [];
  for await (const data of source.chunks(name)) parts.push(data);
  return joined(parts);
}
