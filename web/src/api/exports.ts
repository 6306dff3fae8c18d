/** Exports: footage taken out as files or as a case that can be verified. */

import type { Span } from '../playback/timeline';
import { api } from '../state/session';

export type ExportFormat = 'mp4' | 'mkv' | 'case';
export type ExportState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface ExportRequest {
  cameras: string[];
  /** Epoch milliseconds. */
  start: number;
  end: number;
  stream: string;
  format: ExportFormat;
  exact: boolean;
  audio: boolean;
  burn: { time: boolean; name: boolean; watermark: boolean };
  /** The zone of the times written into the pictures. */
  zone: string;
  /** false: privacy masks are left off, for those who may. */
  masks: boolean;
  reason: string;
}

/** What an mkv cannot do, since it holds the recording's own bytes. */
export const fits = (request: ExportRequest): ExportRequest =>
  request.format === 'mkv'
    ? {
        ...request,
        exact: false,
        audio: true,
        burn: { time: false, name: false, watermark: false },
      }
    : request;

/** A file in the export; `start` and `end` are what it shows. */
export interface ExportFile {
  name: string;
  camera: string;
  start: number;
  end: number;
  size: number;
  sha256: string;
}

/** A span that no file shows. */
export interface ExportHole {
  camera: string;
  start: number;
  end: number;
}

export interface ExportModel {
  id: string;
  state: ExportState;
  /** 0 to 1. */
  progress: number;
  error: string;
  size: number;
  created: number;
  expires: number | null;
  owner: string;
  spec: Partial<ExportRequest>;
  /** What the file is called; empty until it is done. */
  name: string;
  /** The first thousand; `count` says how many there are. */
  files: ExportFile[];
  count: number;
  missing: ExportHole[];
  problems: string[];
}

const one = (id: string): string => `/exports/${encodeURIComponent(id)}`;

export const addExport = (request: ExportRequest): Promise<ExportModel> =>
  api.request('POST', '/exports', {
    body: { ...request, start: Math.floor(request.start), end: Math.ceil(request.end) },
  });

export const listExports = async (): Promise<ExportModel[]> => {
  const answer = await api.get<{ exports: ExportModel[] }>('/exports');
  return answer.exports;
};

export const cancelExport = (id: string): Promise<unknown> =>
  api.request('POST', `${one(id)}/cancel`);

export const deleteExport = (id: string): Promise<void> => api.request('DELETE', one(id));

/**
 * Where the browser itself fetches the file, which may be larger than a page can hold. It sends
 * no header then: a token of an hour, good for this file alone, stands in the address.
 */
export const exportAddress = async (id: string): Promise<string> => {
  const { token } = await api.request<{ token: string }>('POST', `${one(id)}/token`);
  return `/api/v1${one(id)}/file?${new URLSearchParams({ token })}`;
};

/** The key that cases are signed with; its fingerprint is published, so that others can check. */
export const getEvidenceKey = (): Promise<{ fingerprint: string }> =>
  api.get('/system/evidence-key');

export interface Rate {
  /** Bytes a second of each stream that is recorded, by measure. */
  perSecond: number;
  recordedMs: number;
}

/** How large an export will be, roughly: what is recorded of each camera times its rate. */
export function estimate(rates: readonly Rate[]): number {
  return rates.reduce((sum, one) => sum + (one.perSecond * one.recordedMs) / 1000, 0);
}

/** The part of `spans` within `chosen`, in milliseconds. */
export function recordedWithin(spans: readonly Span[], chosen: Span): number {
  return spans.reduce(
    (sum, one) =>
      sum + Math.max(0, Math.min(one.end, chosen.end) - Math.max(one.start, chosen.start)),
    0,
  );
}
