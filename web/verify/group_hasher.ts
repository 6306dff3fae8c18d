// The hash of a group of pictures (format/mkv_digest.py): SHA-256 with each cluster's size
// taken as unknown. What the size says is judged by structure: elements end where it says.

import { joined, ParseError } from './bytes';
import { Hasher } from './hashing';

const MAX_ELEMENT = 256 * 1024 * 1024;
const HEAD = 12;
const CLUSTER = 0x1f43b675;
const UNKNOWN_SIZE = Uint8Array.of(1, 255, 255, 255, 255, 255, 255, 255);

interface Head {
  readonly id: number;
  readonly size: number | null;
  readonly body: number;
}

export class GroupHasher {
  readonly #hash = new Hasher();
  #carry = new Uint8Array();
  #skip = 0;
  #at = 0;
  #cluster = -1;
  #size: number | null = null;

  /** Throws ParseError where the bytes are no row of clusters. */
  feed(more: Uint8Array): void {
    const data = this.#carry.length ? joined([this.#carry, more]) : more;
    let at = 0;
    let done = 0;
    for (;;) {
      const step = Math.min(this.#skip, data.length - at);
      at += step;
      this.#skip -= step;
      const head = this.#skip ? null : readHead(data, at);
      if (head === null) break;
      if (head.id === CLUSTER) {
        if (head.body - at !== HEAD) throw new ParseError('a cluster with a head of another size');
        this.#judge(this.#at + at);
        this.#cluster = this.#at + at;
        this.#size = head.size;
        this.#hash.update(data.subarray(done, at + 4));
        this.#hash.update(UNKNOWN_SIZE);
        done = head.body;
      } else if (head.size === null || head.size > MAX_ELEMENT || this.#cluster < 0) {
        throw new ParseError('an element has no place in a group of pictures');
      } else {
        this.#skip = head.size;
      }
      at = head.body;
    }
    this.#hash.update(data.subarray(done, at));
    this.#carry = data.slice(at);
    this.#at += at;
  }

  /** Throws ParseError where the bytes end within an element. */
  hexdigest(): Promise<string> {
    if (this.#carry.length || this.#skip || this.#cluster < 0) {
      throw new ParseError('a group of pictures ends within an element');
    }
    this.#judge(this.#at);
    return this.#hash.hexdigest();
  }

  #judge(end: number): void {
    if (this.#cluster < 0 || this.#size === null) return;
    if (this.#cluster + HEAD + this.#size !== end) {
      throw new ParseError('a cluster does not hold what its size says');
    }
  }
}

/** The head of an EBML element (RFC 8794); null: not enough bytes. */
export function readHead(data: Uint8Array, at: number): Head | null {
  const first = data[at];
  if (first === undefined) return null;
  if (first < 0x10) throw new ParseError('no EBML ID begins so');
  const atSize = at + Math.clz32(first) - 23;
  const mark = data[atSize];
  if (mark === undefined) return null;
  if (!mark) throw new ParseError('an EBML size of more than eight bytes');
  const length = Math.clz32(mark) - 23;
  const body = atSize + length;
  if (body > data.length) return null;
  let id = 0;
  for (let n = at; n < atSize; n++) id = id * 256 + (data[n] ?? 0);
  let size = mark & (0xff >> length);
  let unknown = size === 0xff >> length;
  for (let n = atSize + 1; n < body; n++) {
    const byte = data[n] ?? 0;
    unknown &&= byte === 0xff;
    size = size * 256 + byte;
  }
  return { id, size: unknown ? null : size, body };
}
