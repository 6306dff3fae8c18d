/** Where recordings lie, how long they are kept, what was missed, and who did what. */

import { api } from '../state/session';
import type { GapMark } from './timeline';

export type VolumeState = 'ok' | 'full' | 'failed' | 'missing';

export interface StorageVolume {
  name: string;
  path: string;
  tier: string;
  state: VolumeState;
  problem: string;
  /** Bytes. */
  total: number;
  free: number;
  floor: number;
  used: number;
}

export interface StoredStream {
  stream: string;
  bytes: number;
  bytes_per_day: number;
  oldest: number | null;
  newest: number | null;
  mode: string;
  recording: boolean;
  reason: string;
}

export interface StoredCamera {
  camera: string;
  streams: StoredStream[];
  promised_days: number | null;
  forecast_days: number | null;
  warning: string;
}

export interface StorageAlarm {
  kind: string;
  subject: string;
  text: string;
  since: number;
}

export interface StorageInfo {
  volumes: StorageVolume[];
  cameras: StoredCamera[];
  alarms: StorageAlarm[];
}

export interface RetentionRule {
  days: number | null;
  max_bytes: number | null;
  /** 0 to 1 of the volumes' size. */
  share: number | null;
  event_days: Record<string, number>;
}

export interface Retention {
  default: RetentionRule;
  cameras: Record<string, RetentionRule>;
}

export interface Coverage {
  camera: string;
  stream: string;
  expected_s: number;
  recorded_s: number;
  percent: number | null;
  by_cause: Record<string, number>;
}

export const getStorage = (): Promise<StorageInfo> => api.get('/storage');

export const getRetention = (): Promise<Retention> => api.get('/storage/retention');

export const putRetention = (rules: Retention): Promise<Retention> =>
  api.request('PUT', '/storage/retention', { body: rules });

export const getCoverage = async (month: string): Promise<Coverage[]> => {
  const answer = await api.get<{ cameras: Coverage[] }>('/storage/coverage', { query: { month } });
  return answer.cameras;
};

export const listGaps = async (
  camera: string,
  start: number,
  end: number,
  stream?: string,
): Promise<GapMark[]> => {
  const answer = await api.get<{ gaps: GapMark[] }>(`/cameras/${encodeURIComponent(camera)}/gaps`, {
    query: { start: Math.floor(start), end: Math.ceil(end), stream },
  });
  return answer.gaps;
};

export interface AuditEntry {
  seq: number;
  at: number;
  user: string;
  user_id: string;
  address: string;
  action: string;
  camera: string;
  start: number | null;
  end: number | null;
  detail: Record<string, unknown>;
  /** Each entry's digest stands in the next one: what is changed breaks the chain. */
  previous: string;
  digest: string;
}

export interface AuditFilter {
  before?: number;
  limit?: number;
  camera?: string;
  user?: string;
  action?: string;
}

export const listAudit = async (filter: AuditFilter): Promise<AuditEntry[]> => {
  const answer = await api.get<{ entries: AuditEntry[] }>('/audit', { query: { ...filter } });
  return answer.entries;
};

export interface AuditCheck {
  entries: number;
  ok: boolean;
  broken_at: number | null;
  /** The last entry's digest: noted elsewhere, it shows later that nothing before it changed. */
  head: string;
}

export const checkAudit = (): Promise<AuditCheck> =>
  api.get('/audit/check', { timeoutMs: 120_000 });
