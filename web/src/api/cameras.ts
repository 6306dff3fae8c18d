import { api } from '../state/session';
import type {
  Camera,
  CameraChange,
  DiscoveredDevice,
  NewCamera,
  OnvifAnswer,
  ProbeAnswer,
  ProbeRequest,
} from './types';

const one = (id: string): string => `/cameras/${encodeURIComponent(id)}`;

export const listCameras = (): Promise<Camera[]> => api.get('/cameras');

export const addCamera = (camera: NewCamera): Promise<Camera> =>
  api.request('POST', '/cameras', { body: camera });

export const changeCamera = (id: string, change: CameraChange): Promise<Camera> =>
  api.request('PATCH', one(id), { body: change });

export const deleteCamera = (id: string): Promise<void> => api.request('DELETE', one(id));

/** Connects as the server would; takes as long as a slow camera does. */
export const probe = (request: ProbeRequest): Promise<ProbeAnswer> =>
  api.request('POST', '/cameras/probe', { body: request, timeoutMs: 40_000 });

export const discover = async (seconds: number): Promise<DiscoveredDevice[]> => {
  const answer = await api.request<{ devices: DiscoveredDevice[] }>('POST', '/cameras/discover', {
    body: { timeout_s: seconds },
    timeoutMs: (seconds + 20) * 1000,
  });
  return answer.devices;
};

export const askOnvif = (
  address: string,
  username: string,
  password: string,
): Promise<OnvifAnswer> =>
  api.request('POST', '/cameras/onvif', {
    body: { address, username, password },
    timeoutMs: 40_000,
  });
