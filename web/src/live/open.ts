/** Connects the transports to this page's server and session. */

import { socketUrl } from '../api/events';
import { api } from '../state/session';
import { capabilities, WebrtcHealth } from './ladder';
import { playMse } from './mse';
import type { PlayerPorts } from './player';
import type { Rung, Session } from './types';
import { playWhep } from './whep';

const API_BASE = '/api/v1';
const webrtc = new WebrtcHealth();

const streamPath = (camera: string, stream: string): string =>
  `/cameras/${encodeURIComponent(camera)}/streams/${encodeURIComponent(stream)}`;

function open(camera: string, rung: Rung): Session {
  const path = streamPath(camera, rung.stream);
  if (rung.transport === 'mse') {
    return playMse({ url: socketUrl(`${API_BASE}${path}/mse`), token: () => api.freshToken() });
  }
  return playWhep({
    offer: async (sdp, signal) => {
      const response = await api.raw('POST', `${path}/whep`, {
        body: sdp,
        signal,
        headers: { 'Content-Type': 'application/sdp', Accept: 'application/sdp' },
        timeoutMs: 8000,
      });
      const location = response.headers.get('Location') ?? '';
      return { sdp: await response.text(), location };
    },
    leave,
  });
}

/** DELETE even while the page goes away; a session nobody ends times out on the server. */
async function leave(location: string): Promise<void> {
  const path = new URL(location, window.location.href).pathname;
  if (!path.startsWith(`${API_BASE}/`)) return;
  await api.raw('DELETE', path.slice(API_BASE.length), { keepalive: true }).catch(() => undefined);
}

export function playerPorts(camera: string, onChange: PlayerPorts['onChange']): PlayerPorts {
  return { open: (rung) => open(camera, rung), capabilities: capabilities(), webrtc, onChange };
}
