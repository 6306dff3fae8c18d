// SHA-256 of bytes that come in pieces. The browser's own is several times as fast, but takes
// everything at once, and only on pages it trusts: what is too large to be held, and pages
// that it does not trust, are hashed piece by piece here.

import { sha256 } from '@noble/hashes/sha2.js';
import { hex, joined } from './bytes';

const MOST_HELD = 32 << 20;
// Below this, asking the browser costs more than hashing.
const LEAST = 4096;

export class Hasher {
  readonly #native: SubtleCrypto | undefined;
  #held: Uint8Array[] = [];
  #size = 0;
  #streaming: ReturnType<typeof sha256.create> | null = null;

  constructor(native: SubtleCrypto | undefined = globalThis.crypto?.subtle) {
    this.#native = native;
    if (!native) this.#streaming = sha256.create();
  }

  /** The bytes must not change until the digest is there. */
  update(data: Uint8Array): void {
    if (this.#streaming) {
      this.#streaming.update(data);
      return;
    }
    this.#held.push(data);
    this.#size += data.length;
    if (this.#size > MOST_HELD) this.#spill();
  }

  #spill(): void {
    this.#streaming = sha256.create();
    for (const part of this.#held) this.#streaming.update(part);
    this.#held = [];
  }

  /** In hex. Ask once. */
  async hexdigest(): Promise<string> {
    if (!this.#streaming && this.#native && this.#size >= LEAST) {
      const [first] = this.#held;
      const data = this.#held.length === 1 && first ? first : joined(this.#held);
      this.#held = [];
      return hex(new Uint8Array(await this.#native.digest('SHA-256', data as BufferSource)));
    }
    if (!this.#streaming) this.#spill();
    return hex(this.#streaming?.digest() ?? new Uint8Array());
  }
}
