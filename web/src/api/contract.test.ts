import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type {
  Camera,
  CameraChange,
  DiscoveredDevice,
  LoginAnswer,
  NewCamera,
  NewUser,
  OnvifAnswer,
  OnvifProfile,
  ProbeAnswer,
  ProbeRequest,
  StreamConfig,
  StreamState,
  SystemCheck,
  SystemInfo,
  Track,
  User,
  UserChange,
  Volume,
} from './types';

interface Document {
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, { properties: Record<string, unknown> }> };
}

const document = JSON.parse(readFileSync('../docs/reference/openapi.json', 'utf8')) as Document;

/** The compiler makes sure that `names` are all the keys of T and no other. */
const keysOf = <T>(names: Record<keyof Required<T>, true>): string[] => Object.keys(names).sort();

const schemas: Record<string, string[]> = {
  SignedIn: keysOf<LoginAnswer>({
    access_token: true,
    token_type: true,
    expires_in: true,
    user: true,
  }),
  UserModel: keysOf<User>({ id: true, username: true, role: true, enabled: true, cameras: true }),
  NewUser: keysOf<NewUser>({ username: true, password: true, role: true, cameras: true }),
  UserChange: keysOf<UserChange>({
    username: true,
    password: true,
    role: true,
    enabled: true,
    cameras: true,
  }),
  CameraModel: keysOf<Camera>({
    id: true,
    name: true,
    enabled: true,
    username: true,
    has_password: true,
    streams: true,
    masks: true,
    onvif: true,
    state: true,
  }),
  NewCamera: keysOf<NewCamera>({
    id: true,
    name: true,
    enabled: true,
    username: true,
    password: true,
    streams: true,
    masks: true,
    onvif: true,
  }),
  CameraChange: keysOf<CameraChange>({
    name: true,
    enabled: true,
    username: true,
    password: true,
    streams: true,
    masks: true,
    onvif: true,
  }),
  StreamModel: keysOf<StreamConfig>({
    name: true,
    url: true,
    transport: true,
    recording: true,
    audio: true,
    pre_roll_s: true,
    post_roll_s: true,
    schedule: true,
  }),
  StateModel: keysOf<StreamState>({
    camera: true,
    stream: true,
    status: true,
    since: true,
    reason: true,
    tracks: true,
    bitrate: true,
    frame_rate: true,
    clock_offset_ms: true,
    packets_lost: true,
    reconnects: true,
    not_recorded: true,
  }),
  TrackModel: keysOf<Track>({
    codec: true,
    width: true,
    height: true,
    frame_rate: true,
    clock_rate: true,
    channels: true,
  }),
  ProbeRequest: keysOf<ProbeRequest>({
    url: true,
    username: true,
    password: true,
    transport: true,
  }),
  ProbeAnswer: keysOf<ProbeAnswer>({
    ok: true,
    tracks: true,
    server: true,
    tls_fingerprint: true,
    note: true,
    snapshot_jpeg_base64: true,
    elapsed_ms: true,
  }),
  Device: keysOf<DiscoveredDevice>({ address: true, name: true, hardware: true, xaddrs: true }),
  OnvifAnswer: keysOf<OnvifAnswer>({
    manufacturer: true,
    model: true,
    firmware: true,
    serial: true,
    profiles: true,
  }),
  OnvifProfile: keysOf<OnvifProfile>({
    token: true,
    name: true,
    codec: true,
    width: true,
    height: true,
    frame_rate: true,
    stream_uri: true,
    snapshot_uri: true,
  }),
  SystemModel: keysOf<SystemInfo>({
    version: true,
    node: true,
    roles: true,
    started: true,
    uptime_s: true,
    checks: true,
    volumes: true,
    cameras: true,
    recordings: true,
  }),
  CheckModel: keysOf<SystemCheck>({ name: true, ok: true, detail: true, elapsed_ms: true }),
  VolumeModel: keysOf<Volume>({ path: true, ok: true, detail: true, total: true, free: true }),
};

describe("the server's document", () => {
  for (const [name, keys] of Object.entries(schemas)) {
    it(`${name} has the fields this client knows`, () => {
      expect(Object.keys(document.components.schemas[name]?.properties ?? {}).sort()).toEqual(keys);
    });
  }

  it('has every route this client calls', () => {
    const calls = `
      post /auth/login, post /auth/refresh, post /auth/logout, post /auth/password,
      get /cameras, post /cameras, patch /cameras/{camera_id}, delete /cameras/{camera_id},
      post /cameras/probe, post /cameras/discover, post /cameras/onvif,
      get /cameras/{camera_id}/recordings, get /cameras/{camera_id}/recordings/days,
      get /cameras/{camera_id}/playback,
      get /cameras/{camera_id}/streams/{stream}/snapshot.jpg,
      post /cameras/{camera_id}/streams/{stream}/whep, delete /whep/{session},
      get /users, post /users, patch /users/{user_id}, delete /users/{user_id},
      get /system, get /health`;
    for (const call of calls.split(',')) {
      const [method, path] = call.trim().split(' ') as [string, string];
      expect(document.paths[`/api/v1${path}`], call.trim()).toHaveProperty(method);
    }
  });
});
