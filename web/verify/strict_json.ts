// JSON as the program that writes cases reads it: whole numbers of any size stay exact and are
// told from others, keys may be called anything, and depth is bounded.

import { ParseError } from './bytes';

/** A number with a fraction or an exponent, which nothing in a case has. */
export class Real {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export type Json = null | boolean | number | bigint | string | Real | Json[] | JsonObject;
export type JsonObject = Map<string, Json>;

const MOST_DEEP = 200;
const MOST_DIGITS = 4300;
const NUMBER = /^(-?(?:0|[1-9][0-9]*))((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)$/;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** Throws ParseError. Whole numbers are `number` where those hold them exactly, else `bigint`. */
export function parseJson(data: Uint8Array): Json {
  return new Reader(data).all();
}

class Reader {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
    if (data[0] === 0xef && data[1] === 0xbb && data[2] === 0xbf) this.#at = 3;
  }

  all(): Json {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#data.length) throw new ParseError('something stands behind it');
    return value;
  }

  #space(): void {
    for (;;) {
      const byte = this.#data[this.#at];
      if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) return;
      this.#at++;
    }
  }

  #value(depth: number): Json {
    if (depth > MOST_DEEP) throw new ParseError('it is too deep');
    this.#space();
    const byte = this.#data[this.#at];
    if (byte === 0x7b) return this.#object(depth);
    if (byte === 0x5b) return this.#list(depth);
    if (byte === 0x22) return this.#text();
    for (const [word, value] of WORDS) if (this.#word(word)) return value();
    return this.#number();
  }

  #word(word: string): boolean {
    for (let n = 0; n < word.length; n++) {
      if (this.#data[this.#at + n] !== word.charCodeAt(n)) return false;
    }
    this.#at += word.length;
    return true;
  }

  #take(byte: number): void {
    this.#space();
    if (this.#data[this.#at] !== byte) throw new ParseError(`no JSON at byte ${this.#at}`);
    this.#at++;
  }

  #object(depth: number): JsonObject {
    const found: JsonObject = new Map();
    this.#take(0x7b);
    this.#space();
    if (this.#data[this.#at] === 0x7d) {
      this.#at++;
      return found;
    }
    for (;;) {
      this.#space();
      const name = this.#text();
      this.#take(0x3a);
      found.set(name, this.#value(depth + 1));
      if (!this.#goesOn(0x7d)) return found;
    }
  }

  #list(depth: number): Json[] {
    const found: Json[] = [];
    this.#take(0x5b);
    this.#space();
    if (this.#data[this.#at] === 0x5d) {
      this.#at++;
      return found;
    }
    for (;;) {
      found.push(this.#value(depth + 1));
      if (!this.#goesOn(0x5d)) return found;
    }
  }

  #goesOn(end: number): boolean {
    this.#space();
    const byte = this.#data[this.#at];
    if (byte !== 0x2c && byte !== end) throw new ParseError(`no JSON at byte ${this.#at}`);
    this.#at++;
    return byte === 0x2c;
  }

  #number(): Json {
    const start = this.#at;
    let text = '';
    for (;;) {
      const letter = String.fromCharCode(this.#data[this.#at] ?? 0);
      if (!'+-.0123456789eE'.includes(letter)) break;
      text += letter;
      this.#at++;
    }
    const found = NUMBER.exec(text);
    if (!found?.[1] || found[1].length > MOST_DIGITS) {
      throw new ParseError(`no JSON at byte ${start}`);
    }
    if (found[2]) return new Real(Number(text));
    const value = Number(found[1]);
    return Number.isSafeInteger(value) ? value + 0 : BigInt(found[1]);
  }

  #text(): string {
    this.#take(0x22);
    const parts: string[] = [];
    for (;;) {
      const start = this.#at;
      let byte = this.#data[this.#at];
      while (byte !== undefined && byte >= 0x20 && byte !== 0x22 && byte !== 0x5c) {
        byte = this.#data[++this.#at];
      }
      if (this.#at > start) parts.push(decode(this.#data.subarray(start, this.#at)));
      this.#at++;
      if (byte === 0x22) return parts.join('');
      if (byte !== 0x5c) throw new ParseError(`a text breaks off at byte ${this.#at - 1}`);
      parts.push(this.#escape());
    }
  }

  #escape(): string {
    const letter = String.fromCharCode(this.#data[this.#at++] ?? 0);
    if (letter !== 'u') {
      const plain = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
      if (plain === undefined) throw new ParseError(`no JSON at byte ${this.#at - 1}`);
      return plain;
    }
    let digits = '';
    for (let n = 0; n < 4; n++) digits += String.fromCharCode(this.#data[this.#at++] ?? 0);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw new ParseError(`no JSON at byte ${this.#at}`);
    return String.fromCharCode(Number.parseInt(digits, 16));
  }
}

const WORDS: readonly (readonly [string, () => Json])[] = [
  ['true', () => true],
  ['false', () => false],
  ['null', () => null],
  ['NaN', () => new Real(Number.NaN)],
  ['Infinity', () => new Real(Number.POSITIVE_INFINITY)],
  ['-Infinity', () => new Real(Number.NEGATIVE_INFINITY)],
];

/** UTF-8, which may hold halves of surrogate pairs: the writer's reader takes those too. */
function decode(data: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < data.length; ) {
    const first = data[at] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (!length || first > 0xf4 || at + length > data.length) throw new ParseError('not UTF-8');
    let code = length === 1 ? first : first & (0xff >> (length + 1));
    for (let n = 1; n < length; n++) {
      const next = data[at + n] ?? 0;
      if (next >> 6 !== 2) throw new ParseError('not UTF-8');
      code = (code << 6) | (next & 63);
    }
    if (code > 0x10ffff || (length === 3 && code < 0x800) || (length === 4 && code < 0x10000)) {
      throw new ParseError('not UTF-8');
    }
    parts.push(String.fromCodePoint(code));
    at += length;
  }
  return parts.join('');
}

export function isObject(value: Json | undefined): value is JsonObject {
  return value instanceof Map;
}

/** A whole number from `least` up to below `most`, as `number`; undefined: it is none. */
export function wholeNumber(value: Json | undefined, most: number, least = 0): number | undefined {
  return typeof value === 'number' && value >= least && value < most ? value : undefined;
}
