// The signature of a case (storage/export/signing.py): Ed25519 (RFC 8032) over the manifest.

import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { ascii, hex, ParseError, same } from './bytes';
import { isObject, type Json, parseJson } from './strict_json';

export const MAX_SIGNATURE_FILE = 1024;

export interface SignatureFile {
  readonly key: Uint8Array;
  readonly signature: Uint8Array;
}

/** SHA-256 of the public key, in hex: what people compare. */
export function fingerprint(key: Uint8Array): string {
  return hex(sha256(key));
}

/** Throws ParseError for all that the exporter would not write. */
export function parseSignature(data: Uint8Array): SignatureFile {
  let fields: Json = null;
  try {
    fields = parseJson(data.subarray(0, MAX_SIGNATURE_FILE));
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
  }
  const key = isObject(fields) ? fromBase64(fields.get('key')) : undefined;
  const signature = isObject(fields) ? fromBase64(fields.get('signature')) : undefined;
  if (!key || !signature) throw new ParseError('manifest.sig cannot be read');
  if (!same(encode(key, signature), data)) throw new ParseError('manifest.sig was changed');
  return { key, signature };
}

/** Whether the key's owner signed these bytes. */
export function isSigned(found: SignatureFile, manifest: Uint8Array): boolean {
  if (found.key.length !== 32 || found.signature.length !== 64) return false;
  try {
    return ed25519.verify(found.signature, manifest, found.key, { zip215: false });
  } catch {
    return false;
  }
}

function encode(key: Uint8Array, signature: Uint8Array): Uint8Array {
  return ascii(
    [
      '{',
      ' "algorithm": "ed25519",',
      ` "fingerprint": "${fingerprint(key)}",`,
      ` "key": "${toBase64(key)}",`,
      ` "signature": "${toBase64(signature)}"`,
      '}\n',
    ].join('\n'),
  );
}

function fromBase64(text: Json | undefined): Uint8Array | undefined {
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  try {
    return ascii(atob(text));
  } catch {
    return undefined;
  }
}

function toBase64(data: Uint8Array): string {
  return btoa(String.fromCharCode(...data));
}

/** A fingerprint as people write it, with spaces or colons, as plain hex; else undefined. */
export function plainFingerprint(text: string): string | undefined {
  const plain = text.replace(/[\s:]/g, '').toLowerCase();
  return /^[0-9a-f]{64}$/.test(plain) ? plain : undefined;
}
