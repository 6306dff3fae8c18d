// A recording's index and its chain of hashes (format/index.py, format/index_lines.py).
//
// Wall times are UTC nanoseconds, which only bigint holds exactly; so are all numbers here.

import { sha256 } from '@noble/hashes/sha2.js';
import { ascii, hex, isHex, lines, ParseError } from './bytes';
import { isObject, type Json, type JsonObject, parseJson } from './strict_json';

export const MAX_BYTES = 64 * 1024 * 1024;
const MAX_LINES = 500_000;
const MAX_LINE = 4096;
const MAX_TEXT = 200;
const MAX_INT = 1n << 62n;
const CODECS = ['h264', 'h265'];
const MODES = ['continuous', 'event'];
const HEADER = [
  ...['schema', 'segment', 'camera', 'stream', 'run', 'codec', 'width', 'height', 'start_ns'],
  'media_zero_ns',
];
const GROUP = [...'tcmosnghx'];
const SHIFT = ['shift_ns', 'was', 'x'];
const END = [
  ...['end_ns', 'duration_ms', 'size', 'frames', 'key_frames', 'mode', 'clock_offset_ns'],
  ...['clock_drift_ppb', 'x'],
];

/** `canonical` is the line as the chain hashes it, `link` what the file says of the chain. */
interface Line {
  readonly canonical: string;
  readonly link: string;
}

export interface Group extends Line {
  readonly wallNs: bigint;
  readonly mediaMs: bigint;
  readonly offset: bigint;
  readonly size: bigint;
  readonly digest: string;
}

export interface RecordingIndex {
  readonly schema: number;
  readonly root: string;
  readonly groups: readonly Group[];
  /** Shifts of its times, and the end line, if it has one. */
  readonly rest: readonly Line[];
}

/** Throws ParseError, naming the line. */
export function parseIndex(data: Uint8Array): RecordingIndex {
  if (data.length > MAX_BYTES) {
    throw new ParseError(`an index of ${data.length} bytes; at most ${MAX_BYTES} are read`);
  }
  const groups: Group[] = [];
  const rest: Line[] = [];
  let schema = 0;
  let root = '';
  let ended = false;
  let row = 0;
  for (const line of lines(data)) {
    row += 1;
    if (row > MAX_LINES) throw new ParseError(`an index of more than ${MAX_LINES} lines`);
    const fields = load(line, row);
    if (row === 1) {
      schema = parseHeader(fields);
      root = hex(sha256(line));
      continue;
    }
    if (ended) throw new ParseError(`line ${row} of the index stands behind its end`);
    if (fields.has('shift_ns')) {
      rest.push(parseShift(fields, row, schema));
    } else if (rest.length && fields.has('t')) {
      throw new ParseError(`line ${row} of the index stands behind a shift`);
    } else if (fields.has('t')) {
      groups.push(parseGroup(fields, row, groups.at(-1), schema));
    } else {
      rest.push(parseEnd(fields, row, schema));
      ended = true;
    }
  }
  if (!row) throw new ParseError('an index without its first line');
  return { schema, root, groups, rest };
}

/** The last link, once every link of the chain was found right; '' for schema 1. */
export function checkChain(index: RecordingIndex): string {
  if (index.schema === 1) return '';
  let link = index.root;
  let row = 1;
  for (const line of [...index.groups, ...index.rest]) {
    row += 1;
    link = hex(sha256(ascii(link + line.canonical)));
    if (link !== line.link) {
      throw new ParseError(`line ${row} of the index was changed, or one before it`);
    }
  }
  return link;
}

function load(line: Uint8Array, row: number): JsonObject {
  if (line.length > MAX_LINE) {
    throw new ParseError(`line ${row} of the index has more than ${MAX_LINE} bytes`);
  }
  let fields: Json;
  try {
    fields = parseJson(line);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw new ParseError(`line ${row} of the index is not JSON`);
  }
  if (!isObject(fields)) throw new ParseError(`line ${row} of the index is not a JSON object`);
  return fields;
}

function parseHeader(fields: JsonObject): number {
  const schema = fields.get('schema');
  if (schema !== 1 && schema !== 2) throw new ParseError('an index of an unknown schema');
  if (schema > 1) only(fields, HEADER, 1);
  for (const name of ['segment', 'camera', 'stream', 'run', 'codec']) {
    const value = fields.get(name);
    if (typeof value !== 'string' || [...value].length > MAX_TEXT) {
      throw new ParseError(`line 1 of the index: '${name}' is not a text of a fair length`);
    }
  }
  const codec = fields.get('codec');
  if (typeof codec !== 'string' || !CODECS.includes(codec)) {
    throw new ParseError('an index of a codec that is not video, or unknown');
  }
  for (const name of ['width', 'height', 'start_ns', 'media_zero_ns']) whole(fields, name, 1);
  return schema;
}

function parseGroup(
  fields: JsonObject,
  row: number,
  before: Group | undefined,
  schema: number,
): Group {
  const camera = (fields.get('c') ?? null) === null ? null : whole(fields, 'c', row);
  const wallNs = whole(fields, 't', row);
  const mediaMs = whole(fields, 'm', row);
  const offset = whole(fields, 'o', row);
  const size = whole(fields, 's', row);
  const pictures = whole(fields, 'n', row);
  const damaged = fields.has('d') ? whole(fields, 'd', row) : 0n;
  let canonical = '';
  let digest = '';
  let link = '';
  if (schema > 1) {
    only(fields, GROUP, row, damaged > 0n ? 'd' : '');
    const gap = whole(fields, 'g', row);
    digest = hash(fields, 'h', row);
    link = hash(fields, 'x', row);
    canonical =
      `{"c":${camera},${damaged ? `"d":${damaged},` : ''}"g":${gap},"h":"${digest}",` +
      `"m":${mediaMs},"n":${pictures},"o":${offset},"s":${size},"t":${wallNs}}`;
  }
  if (!size || !pictures || damaged > pictures) {
    throw new ParseError(`line ${row} of the index holds an empty group`);
  }
  if (
    before &&
    (wallNs < before.wallNs || mediaMs < before.mediaMs || offset < before.offset + before.size)
  ) {
    throw new ParseError(`line ${row} of the index lies ahead of the one before`);
  }
  return { wallNs, mediaMs, offset, size, digest, canonical, link };
}

function parseShift(fields: JsonObject, row: number, schema: number): Line {
  const by = whole(fields, 'shift_ns', row, -MAX_INT);
  if (schema === 1) return { canonical: '', link: '' };
  only(fields, SHIFT, row);
  const was = hash(fields, 'was', row);
  return { canonical: `{"shift_ns":${by},"was":"${was}"}`, link: hash(fields, 'x', row) };
}

function parseEnd(fields: JsonObject, row: number, schema: number): Line {
  const names = ['duration_ms', 'end_ns', 'frames', 'key_frames', 'size'];
  const numbers = new Map(names.map((name) => [name, whole(fields, name, row)]));
  if (schema === 1) return { canonical: '', link: '' };
  only(fields, END, row);
  const mode = fields.get('mode');
  if (typeof mode !== 'string' || !MODES.includes(mode)) {
    throw new ParseError(`line ${row} of the index: 'mode' is none of ${MODES.join(', ')}`);
  }
  const [drift, offset] = ['clock_drift_ppb', 'clock_offset_ns'].map((name) =>
    fields.get(name) === null ? null : whole(fields, name, row, -MAX_INT),
  );
  const one = (name: string) => `"${name}":${numbers.get(name)}`;
  const canonical =
    `{"clock_drift_ppb":${drift},"clock_offset_ns":${offset},${one('duration_ms')},` +
    `${one('end_ns')},${one('frames')},${one('key_frames')},"mode":"${mode}",${one('size')}}`;
  return { canonical, link: hash(fields, 'x', row) };
}

/** What the chain covers is what is read, so that nothing else may stand in a line. */
function only(fields: JsonObject, wanted: readonly string[], row: number, and = ''): void {
  const allowed = and ? [...wanted, and] : wanted;
  if (fields.size !== allowed.length || !allowed.every((name) => fields.has(name))) {
    throw new ParseError(`line ${row} of the index: a field is missing, or odd there`);
  }
}

function whole(fields: JsonObject, name: string, row: number, least = 0n): bigint {
  const value = fields.get(name);
  const found = typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : null;
  if (found === null || found < least || found >= MAX_INT) {
    throw new ParseError(`line ${row} of the index: '${name}' is not a number in range`);
  }
  return found;
}

function hash(fields: JsonObject, name: string, row: number): string {
  const value = fields.get(name);
  if (!isHex(value, 64)) {
    throw new ParseError(`line ${row} of the index: '${name}' is no SHA-256 in hex`);
  }
  return value;
}
