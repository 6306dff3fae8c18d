// @vitest-environment node

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, describe as group, test } from 'vitest';
import { aboutOf } from './about';
import { verify } from './check';
import { openFolder, openZip, readWhole } from './source';
import { describe } from './texts';

// What both verifiers say of the same cases; tests/support/case_vectors.py writes them.
const FOLDER = join(import.meta.dirname, 'vectors');

interface Vector {
  readonly name: string;
  readonly zip: string;
  readonly key: string;
  readonly cut: number | null;
  readonly edits: readonly (readonly [number, string])[];
  readonly append: string;
  readonly folder: boolean;
  readonly remove: readonly string[];
  readonly add: Readonly<Record<string, string>>;
  readonly fingerprint: string;
  readonly unproven: readonly string[];
  readonly findings: readonly {
    readonly what: string;
    readonly path: string;
    readonly start: number | null;
    readonly end: number | null;
    readonly text: string;
  }[];
}

const vectors: Vector[] = JSON.parse(readFileSync(join(FOLDER, 'vectors.json'), 'utf8'));

function changed(vector: Vector): Blob {
  const data = Buffer.from(readFileSync(join(FOLDER, vector.zip)));
  for (const [at, put] of vector.edits) Buffer.from(put, 'hex').copy(data, at);
  return new Blob([data.subarray(0, vector.cut ?? data.length), Buffer.from(vector.append, 'hex')]);
}

async function unpacked(vector: Vector) {
  const zip = await openZip(changed(vector));
  const files = new Map<string, Blob>();
  for (const name of zip.sizes.keys()) {
    files.set(name, new Blob([Buffer.from(await readWhole(zip, name, 1 << 30))]));
  }
  for (const name of vector.remove) files.delete(name);
  for (const [name, put] of Object.entries(vector.add)) {
    files.set(name, new Blob([Buffer.from(put, 'base64')]));
  }
  return openFolder([...files].map(([path, file]) => ({ path, file })));
}

group('both verifiers say the same of', () => {
  test.each(vectors.map((vector) => [vector.name, vector] as const))('%s', async (_, vector) => {
    const open = () => (vector.folder ? unpacked(vector) : openZip(changed(vector)));
    const verdict = await verify(open, vector.key);
    const found = verdict.findings.map(({ what, path, startMs, endMs, text }) => ({
      what,
      path,
      start: startMs,
      end: endMs,
      // How a parser words it may differ; what it is about may not.
      ...(what === 'unreadable' ? {} : { text }),
    }));
    const expected = vector.findings.map(({ text, ...rest }) => ({
      ...rest,
      ...(rest.what === 'unreadable' ? {} : { text }),
    }));
    expect(found).toEqual(expected);
    expect(verdict.fingerprint).toBe(vector.fingerprint);
    expect(verdict.unproven).toEqual(vector.unproven);
    expect(verdict.ok).toBe(!vector.findings.length);
  });
});

test('the cases are all used', () => {
  const used = new Set(vectors.map((vector) => vector.zip));
  const there = readdirSync(FOLDER).filter((name) => name.endsWith('.zip'));
  expect(there.filter((name) => !used.has(name))).toEqual([]);
});

test('a case tells who exported what, when and why', async () => {
  const whole = vectors[0];
  if (!whole) throw new Error('no vectors');
  const { manifest } = await verify(() => openZip(changed(whole)));
  if (!manifest) throw new Error('no manifest');
  const about = aboutOf(manifest);
  expect(about.by).toBe('Ana Souza');
  expect(about.reason).toContain('portão');
  expect(about.cameras.map((camera) => camera.name)).toEqual(['Portão']);
  expect(about.cameras[0]?.missing).toHaveLength(1);
});

test('reading is told of, and can be ended', async () => {
  const whole = vectors[0];
  if (!whole) throw new Error('no vectors');
  let last = 0;
  await verify(
    () => openZip(changed(whole)),
    '',
    (done, all) => {
      expect(done).toBeGreaterThan(last);
      expect(done).toBeLessThanOrEqual(all);
      last = done;
    },
  );
  expect(last).toBeGreaterThan(0);
  const ended = verify(
    () => openZip(changed(whole)),
    '',
    () => {
      throw new RangeError('enough');
    },
  );
  await expect(ended).rejects.toThrow('enough');
});

test('what is found is said in Portuguese', () => {
  const texts = new Set(
    vectors
      .flatMap((v) => v.findings)
      .filter((f) => f.what !== 'unreadable')
      .map((f) => f.text),
  );
  for (const text of texts) {
    const said = describe('pt-BR', { what: 'altered', path: '', startMs: null, endMs: null, text });
    expect(said).not.toContain(text);
    expect(said).not.toContain('detalhe técnico');
  }
});
