import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ExportFile, ExportHole, ExportModel, ExportRequest } from './exports';
import type { Hold, NewHold } from './holds';
import type {
  AuditCheck,
  AuditEntry,
  Coverage,
  Retention,
  RetentionRule,
  StorageAlarm,
  StorageInfo,
  StorageVolume,
  StoredCamera,
  StoredStream,
} from './storage';
import type { EventMark, HoldMark, ModeSpan, Strip, TimelineAnswer } from './timeline';
import type { Mask, Schedule, Slot } from './types';

interface Document {
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, { properties: Record<string, unknown> }> };
}

const document = JSON.parse(readFileSync('../docs/reference/openapi.json', 'utf8')) as Document;

/** The compiler makes sure that each list names all the keys of T and no other. */
const keysOf = <T>(names: Record<keyof Required<T>, true>): string[] => Object.keys(names).sort();

const span = { start: true, end: true } as const;
const schemas: Record<string, string[]> = {
  SlotModel: keysOf<Slot>({ day: true, start_minute: true, end_minute: true, mode: true }),
  ScheduleModel: keysOf<Schedule>({ zone: true, slots: true, holidays: true }),
  MaskModel: keysOf<Mask>({ name: true, points: true }),
  ExportWish: keysOf<ExportRequest>({
    ...span,
    cameras: true,
    stream: true,
    format: true,
    exact: true,
    audio: true,
    burn: true,
    zone: true,
    masks: true,
    reason: true,
  }),
  BurnWish: keysOf<ExportRequest['burn']>({ time: true, name: true, watermark: true }),
  ExportModel: keysOf<ExportModel>({
    id: true,
    state: true,
    progress: true,
    error: true,
    size: true,
    created: true,
    expires: true,
    owner: true,
    spec: true,
    name: true,
    files: true,
    count: true,
    missing: true,
    problems: true,
  }),
  ExportFileModel: keysOf<ExportFile>({
    ...span,
    name: true,
    camera: true,
    size: true,
    sha256: true,
  }),
  MissingModel: keysOf<ExportHole>({ ...span, camera: true }),
  HoldModel: keysOf<Hold>({
    ...span,
    id: true,
    camera: true,
    kind: true,
    reason: true,
    owner: true,
    created: true,
    until: true,
    released: true,
    released_by: true,
  }),
  NewHolds: keysOf<NewHold>({ ...span, cameras: true, kind: true, reason: true, until: true }),
  StorageModel: keysOf<StorageInfo>({ volumes: true, cameras: true, alarms: true }),
  StoredVolumeModel: keysOf<StorageVolume>({
    name: true,
    path: true,
    tier: true,
    state: true,
    problem: true,
    total: true,
    free: true,
    floor: true,
    used: true,
  }),
  StoredCameraModel: keysOf<StoredCamera>({
    camera: true,
    streams: true,
    promised_days: true,
    forecast_days: true,
    warning: true,
  }),
  StoredStreamModel: keysOf<StoredStream>({
    stream: true,
    bytes: true,
    bytes_per_day: true,
    oldest: true,
    newest: true,
    mode: true,
    recording: true,
    reason: true,
  }),
  AlarmModel: keysOf<StorageAlarm>({ kind: true, subject: true, text: true, since: true }),
  RuleModel: keysOf<RetentionRule>({ days: true, max_bytes: true, share: true, event_days: true }),
  RetentionModel: keysOf<Retention>({ default: true, cameras: true }),
  CoverageModel: keysOf<Coverage>({
    camera: true,
    stream: true,
    expected_s: true,
    recorded_s: true,
    percent: true,
    by_cause: true,
  }),
  AuditModel: keysOf<AuditEntry>({
    ...span,
    seq: true,
    at: true,
    user: true,
    user_id: true,
    address: true,
    action: true,
    camera: true,
    detail: true,
    previous: true,
    digest: true,
  }),
  AuditCheckModel: keysOf<AuditCheck>({ entries: true, ok: true, broken_at: true, head: true }),
  Timeline: keysOf<TimelineAnswer>({
    spans: true,
    gaps: true,
    events: true,
    holds: true,
    more: true,
  }),
  StretchModel: keysOf<ModeSpan>({ ...span, mode: true }),
  MarkModel: keysOf<EventMark>({ ...span, id: true, kind: true, label: true, count: true }),
  HoldMark: keysOf<HoldMark>({ ...span, id: true, kind: true, reason: true }),
  StripModel: keysOf<Strip>({
    ...span,
    columns: true,
    rows: true,
    width: true,
    height: true,
    times: true,
    path: true,
  }),
};

describe("the server's document, of recordings", () => {
  for (const [name, keys] of Object.entries(schemas)) {
    it(`${name} has the fields this client knows`, () => {
      expect(Object.keys(document.components.schemas[name]?.properties ?? {}).sort()).toEqual(keys);
    });
  }

  it('has every route this client calls', () => {
    const calls = `
      get /cameras/{camera_id}/timeline, get /cameras/{camera_id}/previews,
      get /cameras/{camera_id}/gaps, post /cameras/{camera_id}/events,
      post /cameras/{camera_id}/events/{event}/end,
      get /holds, post /holds, delete /holds/{hold_id},
      get /exports, post /exports, post /exports/{export_id}/cancel, delete /exports/{export_id},
      post /exports/{export_id}/token, get /exports/{export_id}/file,
      get /system/evidence-key,
      get /storage, get /storage/retention, put /storage/retention, get /storage/coverage,
      get /audit, get /audit/check`;
    for (const call of calls.split(',')) {
      const [method, path] = call.trim().split(' ') as [string, string];
      expect(document.paths[`/api/v1${path}`], call.trim()).toHaveProperty(method);
    }
  });
});
