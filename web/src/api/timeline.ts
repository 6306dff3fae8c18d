/** What lies on a camera's line of time: recorded spans, gaps, events, holds, previews. */

import { api } from '../state/session';

export interface ModeSpan {
  /** Epoch milliseconds. */
  start: number;
  end: number;
  /** 'continuous' or 'event': why it was recorded. */
  mode: string;
}

export type GapCause = 'camera' | 'network' | 'disk' | 'process' | 'settings';

export interface GapMark {
  start: number;
  /** null: it lasts. */
  end: number | null;
  cause: GapCause;
  detail: string;
  /** Which stream; left out where one was asked for. */
  stream?: string;
}

export interface EventMark {
  id: string;
  kind: string;
  label: string;
  start: number;
  end: number | null;
  /** How many were joined into this mark. */
  count?: number;
}

export type HoldKind = 'lock' | 'bookmark';

export interface HoldMark {
  id: string;
  kind: HoldKind;
  reason: string;
  start: number;
  end: number;
}

export interface TimelineAnswer {
  spans: ModeSpan[];
  gaps: GapMark[];
  events: EventMark[];
  holds: HoldMark[];
  /** There are more gaps or events than are given. */
  more?: boolean;
}

export interface Strip {
  start: number;
  end: number;
  columns: number;
  rows: number;
  /** Pixels of one small picture. */
  width: number;
  height: number;
  /** The time of each picture, row by row. */
  times: (number | null)[];
  path: string;
}

const one = (camera: string): string => `/cameras/${encodeURIComponent(camera)}`;

export function getTimeline(
  camera: string,
  query: { start: number; end: number; stream: string; step: number },
  signal?: AbortSignal,
): Promise<TimelineAnswer> {
  return api.get(`${one(camera)}/timeline`, {
    query: {
      start: Math.floor(query.start),
      end: Math.ceil(query.end),
      stream: query.stream,
      step: Math.floor(query.step),
    },
    ...(signal ? { signal } : {}),
  });
}

export async function listStrips(
  camera: string,
  start: number,
  end: number,
  signal?: AbortSignal,
): Promise<Strip[]> {
  const answer = await api.get<{ strips: Strip[] }>(`${one(camera)}/previews`, {
    query: { start: Math.floor(start), end: Math.ceil(end) },
    ...(signal ? { signal } : {}),
  });
  return answer.strips;
}

export async function getSheet(strip: Strip, signal?: AbortSignal): Promise<Blob> {
  const response = await api.raw('GET', strip.path.replace(/^\/api\/v1/, ''), {
    headers: { Accept: 'image/jpeg' },
    timeoutMs: 30_000,
    ...(signal ? { signal } : {}),
  });
  return response.blob();
}

/** Start an event by hand, as a person who saw something does. */
export const triggerEvent = (
  camera: string,
  event: { kind: string; label?: string; duration_s?: number },
): Promise<{ id: string }> => api.request('POST', `${one(camera)}/events`, { body: event });

export const endEvent = (camera: string, event: string): Promise<unknown> =>
  api.request('POST', `${one(camera)}/events/${encodeURIComponent(event)}/end`);
