// What a case says of itself (storage/export/manifest.py): what verifying takes of it.

import { isHex, ParseError, quoted } from './bytes';
import { isObject, type Json, type JsonObject, parseJson, wholeNumber } from './strict_json';
import { isName, MAX_ENTRIES } from './zip_layout';

export const MANIFEST = 'manifest.json';
export const SIGNATURE = 'manifest.sig';
export const MAX_BYTES = 16 << 20;
const FORMAT = 'vms-case';
const SCHEMA = 1;
const MAX_INT = 2 ** 53;

/** A file of the case: its size in bytes, SHA-256 and CRC-32 in hex. */
export interface Listed {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly crc32: string;
}

/** A file of footage; times in epoch milliseconds. `index` and `last` may be empty. */
export interface Media extends Listed {
  readonly camera: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly pieces: string;
  readonly index: string;
  readonly last: string;
}

export interface Manifest {
  readonly media: readonly Media[];
  readonly others: readonly Listed[];
  readonly fields: JsonObject;
}

/** Throws ParseError, naming the field. */
export function parseManifest(data: Uint8Array): Manifest {
  if (data.length > MAX_BYTES) {
    throw new ParseError(`manifest.json has ${data.length} bytes; at most ${MAX_BYTES} are read`);
  }
  let fields: Json;
  try {
    fields = parseJson(data);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw new ParseError('manifest.json is not JSON');
  }
  if (!isObject(fields) || fields.get('format') !== FORMAT) {
    throw new ParseError('manifest.json is not that of a case');
  }
  if (fields.get('schema') !== SCHEMA) {
    throw new ParseError(
      `manifest.json is of another schema than ${SCHEMA}; a newer version of this page may read it`,
    );
  }
  const media = list(fields, 'media').map((one, n) => toMedia(one, `media.${n}`));
  const others = list(fields, 'others').map((one, n) => toListed(one, `others.${n}`));
  checkPaths(media, others);
  return { media, others, fields };
}

function checkPaths(media: readonly Media[], others: readonly Listed[]): void {
  const paths = [...media, ...others].map((one) => one.path);
  if (paths.length > MAX_ENTRIES) {
    throw new ParseError(`manifest.json names more than ${MAX_ENTRIES} files`);
  }
  const all = new Set(paths);
  if (all.size !== paths.length || all.has(MANIFEST) || all.has(SIGNATURE)) {
    throw new ParseError('manifest.json names a file twice, or itself');
  }
  const known = new Set(others.map((one) => one.path));
  for (const one of media) {
    if (!known.has(one.pieces) || (one.index && !known.has(one.index))) {
      throw new ParseError(`manifest.json: ${one.path} lacks its list of pieces or its index`);
    }
  }
}

function list(fields: JsonObject, name: string): Json[] {
  const value = fields.get(name);
  if (!Array.isArray(value)) throw new ParseError(`manifest.json: '${name}' is not a list`);
  return value;
}

function objectOf(value: Json, where: string): JsonObject {
  if (!isObject(value)) throw new ParseError(`manifest.json: ${where} is not an object`);
  return value;
}

function toListed(value: Json, where: string): Listed {
  const fields = objectOf(value, where);
  const path = text(fields, 'path', where);
  if (!isName(path)) {
    throw new ParseError(
      `manifest.json: ${where}.path is ${quoted(path)}, which no case would use`,
    );
  }
  return {
    path,
    size: number(fields, 'size', where),
    sha256: digits(fields, 'sha256', 64, where),
    crc32: digits(fields, 'crc32', 8, where),
  };
}

function toMedia(value: Json, where: string): Media {
  const listed = toListed(value, where);
  const fields = objectOf(value, where);
  const startMs = number(fields, 'start_ms', where);
  const endMs = number(fields, 'end_ms', where);
  if (endMs < startMs) throw new ParseError(`manifest.json: ${where} ends before it starts`);
  const indexed = (fields.get('index') ?? null) !== null;
  const kept = indexed && (fields.get('last') ?? null) !== null;
  return {
    ...listed,
    camera: text(fields, 'camera', where),
    startMs,
    endMs,
    pieces: text(fields, 'pieces', where),
    index: indexed ? text(fields, 'index', where) : '',
    last: kept ? digits(fields, 'last', 64, where) : '',
  };
}

function text(fields: JsonObject, name: string, where: string): string {
  const value = fields.get(name);
  const fair = typeof value === 'string' && value.length <= 400 && value.length > 0;
  if (!fair || [...value].length > 200) {
    throw new ParseError(`manifest.json: ${where}.${name} is not a text of a fair length`);
  }
  return value;
}

function number(fields: JsonObject, name: string, where: string): number {
  const value = wholeNumber(fields.get(name), MAX_INT);
  if (value === undefined) {
    throw new ParseError(`manifest.json: ${where}.${name} is not a number in range`);
  }
  return value;
}

function digits(fields: JsonObject, name: string, length: number, where: string): string {
  const value = fields.get(name);
  if (!isHex(value, length)) {
    throw new ParseError(`manifest.json: ${where}.${name} is not ${length} digits of hex`);
  }
  return value;
}
