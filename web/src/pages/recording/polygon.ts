/** Polygons on a picture, in parts of its width and height. Pure. */

import type { Mask } from '../../api/types';

export type Point = [number, number];
export const MOST_POINTS = 32;
export const MOST_MASKS = 32;
/** As near, in pixels, is meant for the same corner. */
export const NEAR_PX = 14;

/** Within the picture, and no finer than any camera sees. */
export const clampPoint = ([x, y]: Point): Point => [part(x), part(y)];

const part = (value: number): number =>
  Math.round(Math.min(1, Math.max(0, Number.isFinite(value) ? value : 0)) * 1e4) / 1e4;

/** Where a press lands on a board. */
export function pointAt(
  x: number,
  y: number,
  board: { left: number; top: number; width: number; height: number },
): Point {
  return clampPoint([(x - board.left) / board.width, (y - board.top) / board.height]);
}

/** Whether two points are the same corner on a board of that size. */
export function near(one: Point, other: Point, width: number, height: number): boolean {
  return Math.hypot((one[0] - other[0]) * width, (one[1] - other[1]) * height) <= NEAR_PX;
}

export const svgPoints = (points: readonly Point[]): string =>
  points.map(([x, y]) => `${x},${y}`).join(' ');

/** Whether a point lies inside (even-odd rule). */
export function inside([x, y]: Point, points: readonly Point[]): boolean {
  let within = false;
  for (const [at, [ax, ay]] of points.entries()) {
    const [bx, by] = points[(at + points.length - 1) % points.length] ?? [ax, ay];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}

/** `mask` with one corner moved. */
export function moveCorner(mask: Mask, corner: number, to: Point): Mask {
  const points = mask.points.map((point, at): Point => (at === corner ? clampPoint(to) : point));
  return { ...mask, points };
}

/** `mask` without a corner; as it is where no more than three are left. */
export function dropCorner(mask: Mask, corner: number): Mask {
  if (mask.points.length <= 3) return mask;
  return { ...mask, points: mask.points.filter((_, at) => at !== corner) };
}

/** `mask` with a corner in the middle of the side that begins at `corner`. */
export function splitSide(mask: Mask, corner: number): Mask {
  const [one, other] = [mask.points[corner], mask.points[(corner + 1) % mask.points.length]];
  if (!one || !other || mask.points.length >= MOST_POINTS) return mask;
  const middle = clampPoint([(one[0] + other[0]) / 2, (one[1] + other[1]) / 2]);
  return { ...mask, points: mask.points.toSpliced(corner + 1, 0, middle) };
}
