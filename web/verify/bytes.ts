// Small helpers for bytes, and the error of everything that is not as it should be.

export class ParseError extends Error {}

const HEX = /^[0-9a-f]*$/;

export function hex(data: Uint8Array): string {
  let text = '';
  for (const byte of data) text += byte.toString(16).padStart(2, '0');
  return text;
}

export function isHex(value: unknown, length: number): value is string {
  return typeof value === 'string' && value.length === length && HEX.test(value);
}

export function ascii(text: string): Uint8Array {
  const data = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) data[at] = text.charCodeAt(at);
  return data;
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The lines of bytes that end with a newline each; what follows the last one is left out. */
export function* lines(data: Uint8Array): Generator<Uint8Array> {
  let at = 0;
  for (;;) {
    const end = data.indexOf(10, at);
    if (end < 0) return;
    yield data.subarray(at, end);
    at = end + 1;
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 as ZIP has it, in eight hex digits. */
export function crc32(data: Uint8Array): string {
  let value = 0xffffffff;
  for (const byte of data) value = (CRC_TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return ((value ^ 0xffffffff) >>> 0).toString(16).padStart(8, '0');
}

/** As much of a text as an error may repeat. */
export function quoted(text: string, most = 80): string {
  return `'${[...text.slice(0, 2 * most)].slice(0, most).join('')}'`;
}
