// What a manifest tells people: who exported what, when and why. All of it is optional here:
// a case is judged by its hashes alone.

import type { Manifest } from './manifest';
import { isObject, type Json, type JsonObject } from './strict_json';

export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

export interface Camera {
  readonly id: string;
  readonly name: string;
  readonly missing: readonly Span[];
}

export interface About {
  readonly id: string;
  readonly by: string;
  readonly madeMs: number | null;
  readonly reason: string;
  readonly asked: Span | null;
  readonly clock: string;
  readonly problems: readonly string[];
  readonly cameras: readonly Camera[];
}

const MOST = 1000;
const MOST_TEXT = 2000;
// What a Date can show.
const MOST_MS = 8.64e15;

export function aboutOf({ fields, media }: Manifest): About {
  const made = numberOf(fields.get('made_ms'));
  const cameras = listOf(fields.get('cameras')).filter(isObject).map(cameraOf);
  const named = new Set(cameras.map((camera) => camera.id));
  for (const { camera } of media) {
    if (!named.has(camera)) cameras.push({ id: camera, name: '', missing: [] });
    named.add(camera);
  }
  return {
    id: textOf(fields.get('id')),
    by: textOf(inside(fields.get('by')).get('name')),
    madeMs: made,
    reason: textOf(fields.get('reason')),
    asked: askedOf(inside(fields.get('asked'))),
    clock: textOf(inside(fields.get('clock')).get('problem')),
    problems: listOf(fields.get('problems')).map(textOf).filter(Boolean),
    cameras,
  };
}

function cameraOf(fields: JsonObject): Camera {
  const missing = listOf(fields.get('missing'))
    .filter(isObject)
    .map((one) => spanOf(one.get('start_ms'), one.get('end_ms')))
    .filter((span) => span !== null);
  return { id: textOf(fields.get('id')), name: textOf(fields.get('name')), missing };
}

function askedOf(fields: JsonObject): Span | null {
  return spanOf(fields.get('start'), fields.get('end'));
}

function spanOf(start: Json | undefined, end: Json | undefined): Span | null {
  const startMs = numberOf(start);
  const endMs = numberOf(end);
  return startMs === null || endMs === null ? null : { startMs, endMs };
}

function numberOf(value: Json | undefined): number | null {
  return typeof value === 'number' && Math.abs(value) <= MOST_MS ? value : null;
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value.slice(0, MOST_TEXT) : '';
}

function listOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value.slice(0, MOST) : [];
}

function inside(value: Json | undefined): JsonObject {
  return isObject(value) ? value : new Map();
}
