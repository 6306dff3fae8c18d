import { api } from '../state/session';
import type { ApiError } from './client';

const one = (camera: string): string => `/cameras/${encodeURIComponent(camera)}`;

/** Times come as RFC 3339 or as epoch milliseconds. */
const toMs = (value: string | number): number =>
  typeof value === 'number' ? value : /^\d+$/.test(value) ? Number(value) : Date.parse(value);

/** The local dates ('2026-11-23') that have footage between two dates, both included. */
export async function listDays(camera: string, from: string, to: string): Promise<Set<string>> {
  const tz = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const answer = await api.get<{ days: (string | { date: string })[] } | string[]>(
    `${one(camera)}/recordings/days`,
    { query: { from, to, tz } },
  );
  const days = Array.isArray(answer) ? answer : answer.days;
  return new Set(days.map((day) => (typeof day === 'string' ? day : day.date)));
}

export interface PlaybackWindow {
  stream: string;
  startMs: number;
  endMs: number;
  codecs: string;
  body: ReadableStream<Uint8Array>;
}

/** `keys`: key pictures alone. Rejects with ApiError 404 carrying `next_start` where nothing was recorded. */
export async function openWindow(
  camera: string,
  stream: string,
  startMs: number,
  seconds: number,
  signal: AbortSignal,
  keys = false,
): Promise<PlaybackWindow> {
  const response = await api.raw('GET', `${one(camera)}/playback`, {
    query: {
      stream,
      start: Math.floor(startMs),
      duration: seconds,
      pictures: keys ? 'keys' : undefined,
    },
    signal,
    timeoutMs: 60_000,
    headers: { Accept: 'video/mp4' },
  });
  const header = (name: string) => response.headers.get(name) ?? '';
  return {
    stream,
    startMs: Number(header('X-Start-Ms')),
    endMs: Number(header('X-End-Ms')),
    codecs: header('X-Codecs'),
    body: response.body ?? new ReadableStream(),
  };
}

/** Where the recordings go on after a 404, if they do. */
export function nextStart(error: ApiError): number | undefined {
  const value = error.problem.next_start;
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const ms = toMs(value);
  return Number.isFinite(ms) ? ms : undefined;
}
