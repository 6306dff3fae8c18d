// @vitest-environment node

import { expect, test } from 'vitest';
import { ParseError } from './bytes';
import { type Json, parseJson, Real } from './strict_json';

const of = (text: string): Json => parseJson(new TextEncoder().encode(text));

/** As JSON.parse gives it. */
function plain(value: Json): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, one]) => [key, plain(one)]));
  }
  if (value instanceof Real) return value.value;
  if (typeof value === 'bigint') return Number(value);
  return Array.isArray(value) ? value.map(plain) : value;
}

/** Values at random from a seed, with all that JSON has. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function made(next: () => number, depth: number): unknown {
  const kind = Math.floor(next() * (depth > 3 ? 5 : 7));
  if (kind === 0) return null;
  if (kind === 1) return next() < 0.5;
  if (kind === 2) return Math.floor((next() - 0.5) * 2 ** 50);
  if (kind === 3) return (next() - 0.5) * 10 ** Math.floor(next() * 40 - 20) + 0.5;
  if (kind === 4) {
    const codes = Array.from({ length: Math.floor(next() * 8) }, () =>
      Math.floor(next() * (next() < 0.7 ? 128 : 0x11000)),
    );
    return codes
      .map((code) => String.fromCodePoint(code))
      .join('')
      .replace(/[\ud800-\udfff]/g, '');
  }
  const many = Array.from({ length: Math.floor(next() * 5) }, () => made(next, depth + 1));
  if (kind === 5) return many;
  return Object.fromEntries(many.map((one, n) => [`${n}"é\n`, one]));
}

test('what JSON.parse reads is read alike', () => {
  for (let seed = 1; seed < 400; seed++) {
    const value = made(random(seed), 0);
    for (const text of [JSON.stringify(value), JSON.stringify(value, null, 1)]) {
      expect(plain(of(text))).toEqual(JSON.parse(text));
    }
  }
});

test('what JSON.parse refuses is refused, and nothing else is thrown', () => {
  for (let seed = 1; seed < 1500; seed++) {
    const next = random(seed);
    const text = JSON.stringify(made(next, 0));
    const at = Math.floor(next() * text.length);
    const letter = '"\\{}[],:0-.e \n\u0001tn'[Math.floor(next() * 17)] ?? '';
    const broken = text.slice(0, at) + letter + text.slice(at + Math.floor(next() * 2));
    let expected: unknown;
    let fine = true;
    try {
      expected = JSON.parse(broken);
    } catch {
      fine = false;
    }
    if (fine) expect(plain(of(broken))).toEqual(expected);
    else expect(() => of(broken)).toThrow(ParseError);
  }
});

test('whole numbers stay exact, and are told from others', () => {
  expect(of('1790000000000000001')).toBe(1790000000000000001n);
  expect(of('-9007199254740993')).toBe(-9007199254740993n);
  expect(of('12')).toBe(12);
  expect(of('12.0')).toEqual(new Real(12));
  expect(of('1e2')).toEqual(new Real(100));
  expect(() => of('9'.repeat(5000))).toThrow(ParseError);
});

test('names mean nothing, the last of the same counts, and depth is bounded', () => {
  expect(of('{"__proto__":1,"a":1,"a":2}')).toEqual(
    new Map([
      ['__proto__', 1],
      ['a', 2],
    ]),
  );
  expect(() => of('['.repeat(100_000))).toThrow(ParseError);
  expect(() => of(`${'['.repeat(210)}${']'.repeat(210)}`)).toThrow(ParseError);
  expect(() => parseJson(Uint8Array.of(0x22, 0xc0, 0x80, 0x22))).toThrow(ParseError);
  expect(() => parseJson(Uint8Array.of(0x22, 0xe2, 0x82))).toThrow(ParseError);
});
