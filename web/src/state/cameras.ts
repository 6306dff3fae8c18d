/** The cameras this account sees and the state of their streams, kept up to date by events. */

import { createSignal } from 'solid-js';
import { createStore, reconcile } from 'solid-js/store';
import { listCameras } from '../api/cameras';
import { EventSocket } from '../api/events';
import type { Camera, StreamState } from '../api/types';
import { api, checkServer, onToken } from './session';

type States = Record<string, Record<string, StreamState>>;

const [cameras, setCameras] = createStore<{ list: Camera[] }>({ list: [] });
const [states, setStates] = createStore<States>({});
const [loaded, setLoaded] = createSignal(false);
const [failed, setFailed] = createSignal<unknown>();

export { failed, loaded };
export const cameraList = (): Camera[] => cameras.list;
export const cameraById = (id: string): Camera | undefined =>
  cameras.list.find((camera) => camera.id === id);
export const stateOf = (camera: string, stream: string): StreamState | undefined =>
  states[camera]?.[stream];

export async function reloadCameras(): Promise<void> {
  try {
    const list = await listCameras();
    setCameras('list', reconcile(list, { key: 'id' }));
    for (const camera of list) Object.values(camera.state ?? {}).forEach(noteState);
    setFailed(undefined);
    setLoaded(true);
  } catch (error) {
    setFailed(error);
  }
}

/** A camera was deleted here: the lists need not wait for the server's word. */
export function dropCamera(id: string): void {
  setCameras('list', (list) => list.filter((camera) => camera.id !== id));
}

export function noteState(state: StreamState): void {
  if (!states[state.camera]) setStates(state.camera, {});
  setStates(state.camera, state.stream, reconcile(state));
}

const REFRESH_MS = 60_000;

/** While signed in: load, then follow. */
export function followCameras(): () => void {
  void reloadCameras();
  const events = new EventSocket({
    token: () => api.freshToken(),
    onState: noteState,
    onOpen: (again) => {
      if (again) void reloadCameras();
    },
    onCatalog: () => void reloadCameras(),
    onClosed: () => void checkServer(),
  });
  // Another administrator may add cameras; states come by events, the list is asked for now and then.
  const timer = setInterval(() => document.hidden || void reloadCameras(), REFRESH_MS);
  const stopTokens = onToken((token) => events.renew(token));
  return () => {
    clearInterval(timer);
    stopTokens();
    events.close();
    setLoaded(false);
    setCameras('list', []);
    setStates(reconcile({}));
  };
}

/** Why a camera whose pictures come is not recorded though it should be; empty: all is well. */
export function notRecorded(camera: Camera): string {
  for (const { name } of camera.streams) {
    const state = stateOf(camera.id, name);
    if (camera.enabled && state?.status === 'online' && state.not_recorded) {
      return state.not_recorded;
    }
  }
  return '';
}

/** The status that stands for the whole camera: its main stream's. */
export function cameraStatus(camera: Camera): StreamState['status'] | 'unknown' {
  if (!camera.enabled) return 'disabled';
  const first = camera.streams[0];
  return (first && stateOf(camera.id, first.name)?.status) ?? 'unknown';
}
