/** Locks and bookmarks: footage that nothing deletes while they are in force. */

import { api } from '../state/session';
import type { HoldKind } from './timeline';

export interface Hold {
  id: string;
  camera: string;
  kind: HoldKind;
  /** Epoch milliseconds. */
  start: number;
  end: number;
  reason: string;
  owner: string;
  created: number;
  until: number | null;
  released: number | null;
  released_by: string;
}

export interface NewHold {
  cameras: string[];
  kind: HoldKind;
  start: number;
  end: number;
  reason: string;
  until: number | null;
}

export const addHolds = (hold: NewHold): Promise<Hold[]> =>
  api.request('POST', '/holds', {
    body: { ...hold, start: Math.floor(hold.start), end: Math.ceil(hold.end) },
  });

/** `all`: also those that are released or past. */
export const listHolds = (all = false): Promise<Hold[]> =>
  api.get('/holds', { query: { all: all ? 'true' : undefined } });

export const releaseHold = (id: string, reason: string): Promise<unknown> =>
  api.request('DELETE', `/holds/${encodeURIComponent(id)}`, { query: { reason } });
