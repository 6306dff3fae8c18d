// @vitest-environment node

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ParseError } from './bytes';
import { GroupHasher } from './group_hasher';
import { Hasher } from './hashing';
import { plainFingerprint } from './signing';
import { centralHeader, type Entry, ending, localHeader, localSize } from './zip_layout';
import { headersWhole, readEntries } from './zip_reader';

const whole = readFileSync(join(import.meta.dirname, 'vectors', 'whole.zip'));

test('headers are made as they were written', async () => {
  const file = new Blob([whole]);
  const entries = await readEntries(file);
  expect(entries.length).toBeGreaterThan(4);
  expect(await headersWhole(file, entries)).toBe(true);
});

test('no byte of a ZIP can be changed so that anything but an error comes of it', async () => {
  for (let at = 0; at < whole.length; at += 29) {
    const data = Buffer.from(whole);
    data[at] = (data[at] ?? 0) ^ 0xff;
    try {
      await headersWhole(new Blob([data]), await readEntries(new Blob([data])));
    } catch (error) {
      expect(error).toBeInstanceOf(ParseError);
    }
  }
});

test('files and offsets above 4 GiB have their sizes in extra fields', () => {
  const entry: Entry = { name: 'a.mkv', size: 5 * 2 ** 30, crc: 7, offset: 6 * 2 ** 30 };
  expect(localHeader(entry)).toHaveLength(localSize('a.mkv'));
  const view = new DataView(centralHeader(entry).buffer);
  expect(view.getUint32(20, true)).toBe(0xffffffff);
  expect(view.getBigUint64(46 + 5 + 4, true)).toBe(BigInt(entry.size));
  expect(view.getBigUint64(46 + 5 + 20, true)).toBe(BigInt(entry.offset));
  expect(ending([entry], 12 * 2 ** 30).length).toBe(centralHeader(entry).length + 56 + 20 + 22);
});

test('a group is hashed alike in whatever pieces it comes', async () => {
  const body = Uint8Array.from([0xe7, 0x81, 5, 0xa3, 0x85, 0x81, 0, 0, 0x80, 9]);
  const head = [0x1f, 0x43, 0xb6, 0x75, 1, 0, 0, 0, 0, 0, 0];
  const group = Uint8Array.from([...head, body.length, ...body]);
  const unsized = group.slice();
  unsized.set([1, 255, 255, 255, 255, 255, 255, 255], 4);
  const digests = new Set<string>();
  for (const data of [group, unsized]) {
    for (const step of [1, 3, 7, 100]) {
      const hasher = new GroupHasher();
      for (let at = 0; at < data.length; at += step) hasher.feed(data.subarray(at, at + step));
      digests.add(await hasher.hexdigest());
    }
  }
  expect(digests.size).toBe(1);
  const short = group.slice();
  short[11] = body.length - 1;
  const hasher = new GroupHasher();
  hasher.feed(short);
  expect(() => hasher.hexdigest()).toThrow(ParseError);
});

test('a fingerprint is read as people write it', () => {
  const plain = 'ab12'.repeat(16);
  expect(plainFingerprint(plain.toUpperCase().match(/../g)?.join(':') ?? '')).toBe(plain);
  expect(plainFingerprint(` ${plain.slice(0, 32)}\n${plain.slice(32)} `)).toBe(plain);
  expect(plainFingerprint(plain.slice(1))).toBeUndefined();
});

test('what is hashed in pieces is hashed alike, by the browser or here', async () => {
  for (const size of [0, 1, 5000, 33 << 20]) {
    const data = new Uint8Array(size).map((_, at) => at * 7);
    const digests = [];
    for (const native of [globalThis.crypto.subtle, undefined]) {
      const hasher = new Hasher(native);
      for (let at = 0; at < size; at += 1 << 20) hasher.update(data.subarray(at, at + (1 << 20)));
      digests.push(await hasher.hexdigest());
    }
    expect(digests[1]).toBe(digests[0]);
    expect(digests[0]).toBe(createHash('sha256').update(data).digest('hex'));
  }
}, 20_000);
