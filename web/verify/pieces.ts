// The list of a media file's pieces (storage/export/pieces.py): which bytes show which span.

import { isHex, lines, ParseError } from './bytes';
import { isObject, type Json, type JsonObject, parseJson, wholeNumber } from './strict_json';

export const MAX_BYTES = 64 << 20;
const MAX_INT = 2 ** 53;
const KEYS = ['o', 's', 'h', 't', 'e', 'i'];

/** Times in epoch milliseconds, `offset` and `size` in bytes. */
export interface Piece {
  readonly offset: number;
  readonly size: number;
  readonly startMs: number | null;
  readonly endMs: number | null;
  readonly group: number | null;
  readonly digest: string;
}

/** The pieces of a file of `size` bytes. Throws ParseError, naming the line. */
export function parsePieces(data: Uint8Array, size: number): Piece[] {
  if (data.length > MAX_BYTES) {
    throw new ParseError(`a list of pieces of ${data.length} bytes; at most ${MAX_BYTES} are read`);
  }
  if (data[data.length - 1] !== 10) throw new ParseError('the last line is cut off');
  const found: Piece[] = [];
  let at = 0;
  for (const line of lines(data)) {
    const piece = parseLine(line, found.length + 1);
    if (piece.offset !== at) {
      throw new ParseError(`line ${found.length + 1}: the piece does not follow the one before`);
    }
    at += piece.size;
    found.push(piece);
  }
  if (at !== size) throw new ParseError(`the pieces cover ${at} bytes of ${size}`);
  return found;
}

function parseLine(line: Uint8Array, row: number): Piece {
  let fields: Json;
  try {
    fields = parseJson(line);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw new ParseError(`line ${row} is not JSON`);
  }
  if (!isObject(fields) || fields.size !== 6 || !KEYS.every((key) => fields.has(key))) {
    throw new ParseError(`line ${row} is not a piece`);
  }
  const digest = fields.get('h');
  if (!isHex(digest, 64)) throw new ParseError(`line ${row}: 'h' is no SHA-256 in hex`);
  const piece: Piece = {
    offset: number(fields, 'o', row),
    size: number(fields, 's', row),
    startMs: maybe(fields, 't', row),
    endMs: maybe(fields, 'e', row),
    group: maybe(fields, 'i', row),
    digest,
  };
  if (!piece.size || (piece.startMs === null) !== (piece.endMs === null)) {
    throw new ParseError(`line ${row} is not a piece`);
  }
  return piece;
}

function number(fields: JsonObject, name: string, row: number): number {
  const value = wholeNumber(fields.get(name), MAX_INT);
  if (value === undefined) throw new ParseError(`line ${row}: '${name}' is not a number in range`);
  return value;
}

function maybe(fields: JsonObject, name: string, row: number): number | null {
  return fields.get(name) === null ? null : number(fields, name, row);
}
