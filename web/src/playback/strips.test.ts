import { describe, expect, it } from 'vitest';
import type { Strip } from '../api/timeline';
import { cellAt, STRIP_MS, Strips, stripStart } from './strips';

const strip = (times: (number | null)[]): Strip => ({
  start: 0,
  end: STRIP_MS,
  columns: 3,
  rows: 2,
  width: 160,
  height: 90,
  times,
  path: '/api/v1/cameras/x/previews/0.jpg',
});

describe('cellAt', () => {
  const all = [{ start: 0, end: STRIP_MS }];

  it('finds the picture at or before a moment', () => {
    const sheet = strip([1000, 11_000, 21_000, 31_000, null, 51_000]);
    expect(cellAt(sheet, 11_500, all)).toEqual({ column: 1, row: 0, ms: 11_000 });
    expect(cellAt(sheet, 45_000, all)).toEqual({ column: 0, row: 1, ms: 31_000 });
    expect(cellAt(sheet, 200, all)).toEqual({ column: 0, row: 0, ms: 1000 });
    expect(cellAt(sheet, 300_000, all)).toBeUndefined();
    expect(cellAt(strip([]), 0, all)).toBeUndefined();
  });

  it('passes over parts of the sheet that hold nothing', () => {
    const sheet = strip([0, 10_000, 20_000, 30_000, 40_000, 50_000]);
    const recorded = [
      { start: 12_000, end: 19_000 },
      { start: 44_000, end: 60_000 },
    ];
    expect(cellAt(sheet, 5000, recorded)).toMatchObject({ ms: 10_000 });
    expect(cellAt(sheet, 27_000, recorded)).toMatchObject({ ms: 10_000 });
    expect(cellAt(sheet, 47_000, recorded)).toMatchObject({ ms: 40_000 });
    expect(cellAt(sheet, 47_000, [])).toBeUndefined();
  });
});

describe('Strips', () => {
  const picture = {} as ImageBitmap;

  it('asks for a sheet once, but anew while its span grows', async () => {
    let asked = 0;
    const list = async () => {
      asked += 1;
      return [strip([1000])];
    };
    const strips = new Strips(
      list,
      async () => new Blob(),
      async () => picture,
    );
    const later = 10 * STRIP_MS;
    const [one, other] = await Promise.all([strips.at('x', 1, later), strips.at('x', 2, later)]);
    expect(one?.picture).toBe(picture);
    expect(other).toBe(one);
    expect(asked).toBe(1);
    await strips.at('y', 1, 2000);
    await strips.at('y', 1, 23_000);
    expect(asked).toBe(3);
  });

  it('does not fail where there is none', async () => {
    const strips = new Strips(async () => {
      throw new Error('offline');
    });
    expect(await strips.at('x', 5)).toBeUndefined();
    expect(stripStart(STRIP_MS + 7)).toBe(STRIP_MS);
  });
});
