/** What the server's REST interface says, as JSON. Times are epoch milliseconds or RFC 3339. */

export type Role = 'administrator' | 'operator' | 'viewer';

export type StreamStatus = 'disabled' | 'connecting' | 'online' | 'stalled' | 'offline' | 'held';

export interface User {
  id: string;
  username: string;
  role: Role;
  enabled: boolean;
  /** Camera ids this user may see; '*' stands for all. Administrators see all without a grant. */
  cameras: string[];
}

export interface LoginAnswer {
  access_token: string;
  token_type: string;
  /** Seconds from now. */
  expires_in: number;
  user: User;
}

export interface Track {
  codec: string;
  width: number;
  height: number;
  frame_rate: number;
  clock_rate: number;
  channels: number;
}

export interface StreamState {
  camera: string;
  stream: string;
  status: StreamStatus;
  /** A sentence for people; empty when all is well. */
  reason: string;
  since: string;
  tracks: Track[];
  /** bit/s over the last two seconds. */
  bitrate: number;
  frame_rate: number;
  clock_offset_ms: number | null;
  packets_lost: number;
  reconnects: number;
  /** Why it is not recorded though it should be: a sentence, or empty. */
  not_recorded: string;
}

export type TransportChoice = 'tcp' | 'udp';
export type RecordingMode = 'continuous' | 'event' | 'schedule' | 'off';

/** A part of a day by the wall clock; `day` 0 is Monday, 7 stands for holidays. */
export interface Slot {
  day: number;
  start_minute: number;
  end_minute: number;
  mode: Exclude<RecordingMode, 'schedule'>;
}

/** Outside of its slots nothing is recorded. */
export interface Schedule {
  /** An IANA name: 'Europe/Lisbon'. */
  zone: string;
  slots: Slot[];
  /** '2026-12-25': days that follow the slots of day 7. */
  holidays: string[];
}

/** A polygon of the picture: pairs of x and y, each 0 to 1 from the top left. */
export interface Mask {
  name: string;
  points: [number, number][];
}

export interface StreamConfig {
  name: string;
  url: string;
  transport: TransportChoice;
  recording: RecordingMode;
  audio: boolean;
  /** Seconds kept before and after an event. */
  pre_roll_s: number;
  post_roll_s: number;
  schedule: Schedule | null;
}

/** What is not given takes the server's default. */
export type StreamInput = Pick<StreamConfig, 'name' | 'url' | 'transport' | 'recording'> &
  Partial<StreamConfig>;

export interface Camera {
  id: string;
  name: string;
  enabled: boolean;
  username: string;
  has_password: boolean;
  streams: StreamConfig[];
  masks: Mask[];
  /** Where its own events are read; empty: they are not, or that is not for this user. */
  onvif: string;
  state: Record<string, StreamState>;
}

export interface NewCamera {
  /** Empty: made from the name. */
  id: string;
  name: string;
  enabled: boolean;
  username: string;
  password: string;
  streams: StreamInput[];
  onvif?: string;
  masks?: Mask[];
}

/** Only what is given changes; the password is never read back. */
export interface CameraChange {
  name?: string;
  enabled?: boolean;
  username?: string;
  password?: string;
  streams?: StreamInput[];
  masks?: Mask[];
  onvif?: string;
}

export interface ProbeRequest {
  url: string;
  username: string;
  password: string;
  transport: TransportChoice;
}

export interface ProbeAnswer {
  ok: boolean;
  tracks: Track[];
  server: string;
  tls_fingerprint: string;
  note: string;
  snapshot_jpeg_base64: string | null;
  elapsed_ms: number;
}

export interface DiscoveredDevice {
  address: string;
  name: string;
  hardware: string;
  xaddrs: string[];
}

export interface OnvifProfile {
  token: string;
  name: string;
  codec: string;
  width: number;
  height: number;
  frame_rate: number;
  stream_uri: string;
  snapshot_uri: string | null;
}

export interface OnvifAnswer {
  manufacturer: string;
  model: string;
  firmware: string;
  serial: string;
  profiles: OnvifProfile[];
}

export interface NewUser {
  username: string;
  password: string;
  role: Role;
  cameras: string[];
}

export interface UserChange {
  username?: string;
  password?: string;
  role?: Role;
  enabled?: boolean;
  cameras?: string[];
}

export interface SystemCheck {
  name: string;
  ok: boolean;
  /** What is wrong; empty when nothing is. */
  detail: string;
  elapsed_ms: number;
}

/** Where recordings lie; sizes in bytes. */
export interface Volume {
  path: string;
  ok: boolean;
  detail: string;
  total: number;
  free: number;
}

export interface SystemInfo {
  version: string;
  node: string;
  roles: string[];
  started: string;
  uptime_s: number;
  checks: SystemCheck[];
  volumes: Volume[];
  cameras: { total: number; enabled: number; online: number };
  recordings: { segments: number; bytes: number; oldest: number | null; newest: number | null };
}
