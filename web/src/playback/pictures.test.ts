import { describe, expect, it } from 'vitest';
import { Pictures } from './pictures';

const at40 = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ ms: from + index * 40, key: index === 0 }));

describe('Pictures', () => {
  it('steps by exactly one, also where windows meet', () => {
    const pictures = new Pictures();
    pictures.add(at40(1000, 25));
    pictures.add(at40(0, 25));
    const seen: number[] = [];
    let ms = 0.4;
    for (let one = pictures.neighbour(ms, 1); one; one = pictures.neighbour(ms, 1)) {
      seen.push(one.ms);
      ms = one.ms + 0.4;
    }
    expect(seen).toEqual(Array.from({ length: 49 }, (_, index) => (index + 1) * 40));
    for (const ms of seen.toReversed()) {
      expect(pictures.neighbour(ms + 0.4, -1)?.ms).toBe(ms - 40);
    }
    expect(pictures.neighbour(0.4, -1)).toBeUndefined();
  });

  it('takes the same picture once, whatever its window rounded', () => {
    const pictures = new Pictures();
    pictures.add(at40(1000, 25));
    pictures.add(at40(1000.7, 25));
    expect(pictures.size).toBe(25);
  });

  it('takes pictures in the order of decoding', () => {
    const pictures = new Pictures();
    for (const ms of [0, 120, 40, 80, 240, 160, 200]) pictures.add([{ ms, key: ms === 0 }]);
    expect(pictures.neighbour(40.4, 1)?.ms).toBe(80);
    expect(pictures.shownAt(130)?.ms).toBe(120);
    expect(pictures.keyBefore(130)).toBe(0);
  });

  it('forgets a part', () => {
    const pictures = new Pictures();
    pictures.add(at40(0, 10));
    pictures.remove(0, 200);
    expect(pictures.size).toBe(5);
    expect(pictures.shownAt(100)).toBeUndefined();
  });
});
