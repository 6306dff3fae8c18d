import { describe, expect, it } from 'vitest';
import type { Mask } from '../../api/types';
import { dropCorner, inside, moveCorner, near, pointAt, splitSide } from './polygon';

const square: Mask = {
  name: 'window',
  points: [
    [0.2, 0.2],
    [0.6, 0.2],
    [0.6, 0.6],
    [0.2, 0.6],
  ],
};

describe('a mask', () => {
  it('stays within the picture', () => {
    const board = { left: 100, top: 50, width: 400, height: 200 };
    expect(pointAt(300, 150, board)).toEqual([0.5, 0.5]);
    expect(pointAt(0, 900, board)).toEqual([0, 1]);
    expect(pointAt(Number.NaN, 50, board)).toEqual([0, 0]);
    expect(moveCorner(square, 1, [7, -3]).points[1]).toEqual([1, 0]);
    expect(square.points[1]).toEqual([0.6, 0.2]);
  });

  it('keeps three corners, and takes new ones', () => {
    const three = dropCorner(square, 0);
    expect(three.points).toHaveLength(3);
    expect(dropCorner(three, 0)).toBe(three);
    expect(splitSide(square, 3).points.at(-1)).toEqual([0.2, 0.4]);
    const full = { name: '', points: Array.from({ length: 32 }, (): [number, number] => [0, 0]) };
    expect(splitSide(full, 0)).toBe(full);
  });

  it('knows what lies in it', () => {
    expect(inside([0.4, 0.4], square.points)).toBe(true);
    expect(inside([0.1, 0.4], square.points)).toBe(false);
    expect(inside([0.4, 0.7], square.points)).toBe(false);
  });

  it('takes a press close to a corner for that corner, in pixels of the board', () => {
    expect(near([0.5, 0.5], [0.51, 0.5], 1000, 500)).toBe(true);
    expect(near([0.5, 0.5], [0.5, 0.53], 1000, 500)).toBe(false);
  });
});
