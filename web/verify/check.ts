// Verifies a case, in bounded memory: what was altered, missing or added.
//
// The same order and the same verdicts as storage/export/check.py: what is changed there is
// changed here too. web/verify/vectors hold cases that both are tested with.

import { crc32, ParseError } from './bytes';
import { GroupHasher } from './group_hasher';
import { Hasher } from './hashing';
import * as manifests from './manifest';
import { type Listed, MANIFEST, type Manifest, type Media, SIGNATURE } from './manifest';
import type { Piece } from './pieces';
import * as pieceLists from './pieces';
import type { RecordingIndex } from './recording_index';
import * as indexes from './recording_index';
import * as signing from './signing';
import { readWhole, type Source } from './source';

export const MAX_FINDINGS = 1000;

export type What =
  | 'unreadable'
  | 'container'
  | 'signature'
  | 'key'
  | 'altered'
  | 'missing'
  | 'added'
  | 'chain';

/** `path` is '' where it is about the case as a whole; the span in epoch milliseconds. */
export interface Finding {
  readonly what: What;
  readonly path: string;
  readonly startMs: number | null;
  readonly endMs: number | null;
  /** In English, as the command line says it. */
  readonly text: string;
}

export class Verdict {
  readonly findings: Finding[] = [];
  /** Of the key that signed the manifest, '' where none did. */
  fingerprint = '';
  manifest: Manifest | null = null;
  /** Footage that is what was signed, but that no chain ties to the recording. */
  readonly unproven: string[] = [];

  get ok(): boolean {
    return !this.findings.length;
  }

  add(
    what: What,
    path: string,
    text: string,
    startMs: number | null = null,
    endMs: number | null = null,
  ): void {
    if (this.findings.length < MAX_FINDINGS) {
      this.findings.push({ what, path, startMs, endMs, text });
    }
  }
}

/** Called with (bytes read, bytes in all); throw in it to end. */
export type Progress = (done: number, all: number) => void;

/** `open` gives the case. What is wrong with the case is in the verdict; else it throws. */
export async function verify(
  open: () => Source | Promise<Source>,
  expectedKey = '',
  progress: Progress = () => {},
): Promise<Verdict> {
  const verdict = new Verdict();
  const source = await attempt(open, (text) => verdict.add('unreadable', '', text));
  if (source) await new Check(source, verdict, progress).run(expectedKey);
  return verdict;
}

async function attempt<T>(
  work: () => T | Promise<T>,
  failed: (text: string) => void,
): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    failed(error.message);
    return null;
  }
}

class Check {
  readonly #source: Source;
  readonly #verdict: Verdict;
  readonly #progress: Progress;
  readonly #all: number;
  #done = 0;
  readonly #whole = new Set<string>();

  constructor(source: Source, verdict: Verdict, progress: Progress) {
    this.#source = source;
    this.#verdict = verdict;
    this.#progress = progress;
    this.#all = [...source.sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  async run(expectedKey: string): Promise<void> {
    const source = this.#source;
    let data: Uint8Array = new Uint8Array();
    const manifest = await attempt(
      async () => {
        data = await readWhole(source, MANIFEST, manifests.MAX_BYTES);
        return manifests.parseManifest(data);
      },
      (text) => this.#verdict.add('unreadable', MANIFEST, text),
    );
    if (!manifest) return;
    this.#verdict.manifest = manifest;
    await this.#judgeSignature(data, expectedKey);
    await this.#judgeContainer(manifest, data);
    for (const other of manifest.others) await this.#judgeOther(other);
    for (const media of manifest.media) await this.#judgeMedia(media);
    const listed = [...manifest.media, ...manifest.others].map((one) => one.path);
    const known = new Set([MANIFEST, SIGNATURE, ...listed]);
    for (const name of [...source.sizes.keys()].sort()) {
      if (!known.has(name)) this.#verdict.add('added', name, 'it is not part of the case');
    }
  }

  async #judgeSignature(data: Uint8Array, expectedKey: string): Promise<void> {
    const verdict = this.#verdict;
    const found = await attempt(
      async () =>
        signing.parseSignature(
          await readWhole(this.#source, SIGNATURE, signing.MAX_SIGNATURE_FILE),
        ),
      (text) => verdict.add('signature', SIGNATURE, text),
    );
    if (!found) return;
    if (!signing.isSigned(found, data)) {
      verdict.add('signature', MANIFEST, 'the manifest is not as it was signed');
      return;
    }
    verdict.fingerprint = signing.fingerprint(found.key);
    if (expectedKey && verdict.fingerprint !== expectedKey) {
      verdict.add('key', SIGNATURE, `it was signed by another key: ${verdict.fingerprint}`);
    }
  }

  async #judgeContainer(manifest: Manifest, data: Uint8Array): Promise<void> {
    const sums = new Map([...manifest.media, ...manifest.others].map((o) => [o.path, o.crc32]));
    sums.set(MANIFEST, crc32(data));
    if (this.#source.sizes.has(SIGNATURE) && this.#verdict.ok) {
      const signature = await readWhole(this.#source, SIGNATURE, signing.MAX_SIGNATURE_FILE);
      sums.set(SIGNATURE, crc32(signature));
    }
    const problem = await this.#source.containerProblem(sums);
    if (problem) this.#verdict.add('container', '', problem);
  }

  async *#read(name: string): AsyncGenerator<Uint8Array> {
    for await (const data of this.#source.chunks(name)) {
      this.#done += data.length;
      this.#progress(this.#done, this.#all);
      yield data;
    }
  }

  #isThere(one: Listed, startMs: number | null, endMs: number | null): boolean {
    if (this.#source.sizes.has(one.path)) return true;
    this.#verdict.add('missing', one.path, 'it is missing', startMs, endMs);
    return false;
  }

  async #hashes(one: Listed): Promise<boolean> {
    const digest = new Hasher();
    for await (const data of this.#read(one.path)) digest.update(data);
    return (
      this.#source.sizes.get(one.path) === one.size && (await digest.hexdigest()) === one.sha256
    );
  }

  async #judgeOther(one: Listed): Promise<void> {
    if (!this.#isThere(one, null, null)) return;
    if (await this.#hashes(one)) this.#whole.add(one.path);
    else this.#verdict.add('altered', one.path, 'its bytes were changed');
  }

  async #judgeMedia(media: Media): Promise<void> {
    if (!this.#isThere(media, media.startMs, media.endMs)) return;
    const listed = await attempt(
      () => this.#pieces(media),
      (text) => this.#verdict.add('altered', media.pieces, `${media.pieces}: ${text}`),
    );
    if (listed === null) {
      if (!(await this.#hashes(media))) {
        const text = 'its bytes were changed; where, nothing is left to tell';
        this.#verdict.add('altered', media.path, text, media.startMs, media.endMs);
      }
      return;
    }
    const proof = media.index ? new Proof(await this.#groups(media)) : null;
    const before = this.#verdict.findings.length;
    await this.#judgePieces(media, listed, proof);
    if (!proof && this.#verdict.findings.length === before) this.#verdict.unproven.push(media.path);
  }

  async #pieces(media: Media): Promise<Piece[] | null> {
    if (!this.#whole.has(media.pieces)) return null;
    const data = await readWhole(this.#source, media.pieces, pieceLists.MAX_BYTES);
    return pieceLists.parsePieces(data, media.size);
  }

  /** The recording's index, once it is known to be whole; what is wrong is noted. */
  async #groups(media: Media): Promise<RecordingIndex | null> {
    if (!this.#whole.has(media.index)) return null;
    let last = '';
    const index = await attempt(
      async () => {
        const data = await readWhole(this.#source, media.index, indexes.MAX_BYTES);
        const parsed = indexes.parseIndex(data);
        last = indexes.checkChain(parsed);
        return parsed;
      },
      (text) => this.#chain(media, `its recording's index is not whole: ${text}`),
    );
    if (index && media.last && last !== media.last) {
      this.#chain(media, "its recording's index is not the one that was kept");
      return null;
    }
    return index;
  }

  #chain(media: Media, text: string): void {
    this.#verdict.add('chain', media.path, text, media.startMs, media.endMs);
  }

  async #judgePieces(media: Media, listed: readonly Piece[], proof: Proof | null): Promise<void> {
    let altered: Piece[] = [];
    const taker = new Taker(this.#read(media.path));
    for (const piece of listed) {
      const digest = new Hasher();
      let hasher = proof?.begin(piece) ?? null;
      for await (const data of taker.take(piece.size)) {
        digest.update(data);
        if (hasher) hasher = fed(hasher, data);
      }
      if ((await digest.hexdigest()) !== piece.digest) {
        altered.push(piece);
        continue;
      }
      this.#tell(media, altered);
      altered = [];
      const wrong = await proof?.judge(piece, hasher);
      if (wrong) {
        // Where a piece has no times the whole file is named, as the program does.
        const known = piece.startMs !== null;
        const [start, end] = known ? [piece.startMs, piece.endMs] : [media.startMs, media.endMs];
        this.#verdict.add('chain', media.path, wrong, start, end);
      }
    }
    this.#tell(media, altered);
    await taker.rest();
    if ((this.#source.sizes.get(media.path) ?? 0) > media.size) {
      this.#verdict.add('altered', media.path, 'bytes were added to its end');
    }
  }

  /** Pieces that follow one another are one finding. */
  #tell(media: Media, altered: readonly Piece[]): void {
    const first = altered[0];
    const last = altered.at(-1);
    if (!first || !last) return;
    let start: number | null = null;
    let end: number | null = null;
    for (const { startMs, endMs } of altered) {
      if (startMs !== null && (start === null || startMs < start)) start = startMs;
      if (endMs !== null && (end === null || endMs > end)) end = endMs;
    }
    const text = `bytes ${first.offset} to ${last.offset + last.size - 1} were changed`;
    this.#verdict.add('altered', media.path, text, start, end);
  }
}

/** Ties pieces to the groups of the recording's index. */
class Proof {
  readonly #index: RecordingIndex | null;

  constructor(index: RecordingIndex | null) {
    this.#index = index;
  }

  begin(piece: Piece): GroupHasher | null {
    const hashed = this.#index !== null && this.#index.schema > 1;
    return hashed && piece.group !== null ? new GroupHasher() : null;
  }

  /** What is wrong with a piece whose own hash is right; '': nothing. */
  async judge(piece: Piece, hasher: GroupHasher | null): Promise<string> {
    if (!this.#index || piece.group === null || this.#index.schema === 1) return '';
    const group = this.#index.groups[piece.group];
    if (!group) return "its recording's index has no such group of pictures";
    if (piece.startMs === null || group.wallNs / 1_000_000n !== BigInt(piece.startMs)) {
      return "its recording's index gives it another time";
    }
    return hasher && (await finished(hasher)) === group.digest ? '' : 'it is not what was recorded';
  }
}

async function finished(hasher: GroupHasher): Promise<string> {
  try {
    return await hasher.hexdigest();
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return '';
  }
}

function fed(hasher: GroupHasher, data: Uint8Array): GroupHasher | null {
  try {
    hasher.feed(data);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return null;
  }
  return hasher;
}

/** Gives a stream of chunks by counts of bytes. */
class Taker {
  readonly #chunks: AsyncGenerator<Uint8Array>;
  #left = new Uint8Array();

  constructor(chunks: AsyncGenerator<Uint8Array>) {
    this.#chunks = chunks;
  }

  async *take(wanted: number): AsyncGenerator<Uint8Array> {
    let count = wanted;
    while (count) {
      if (!this.#left.length) {
        const next = await this.#chunks.next();
        if (next.done) return;
        this.#left = next.value as Uint8Array<ArrayBuffer>;
      }
      const part = this.#left.subarray(0, count);
      this.#left = this.#left.subarray(part.length);
      count -= part.length;
      yield part;
    }
  }

  async rest(): Promise<void> {
    while (!(await this.#chunks.next()).done);
  }
}
