/** The socket on which the server pushes changes. Comes back by itself, with growing waits. */

import type { StreamState } from './types';

export interface EventPorts {
  token(): Promise<string>;
  onState(state: StreamState): void;
  /** `again` is false the first time. */
  onOpen(again: boolean): void;
  /** Cameras were added, changed or removed. */
  onCatalog(): void;
  /** The socket broke or could not be opened. */
  onClosed(): void;
  open?: (url: string) => WebSocket;
}

const MAX_WAIT_MS = 15_000;

export class EventSocket {
  private socket: WebSocket | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wait = 500;
  private opened = 0;
  private closed = false;

  constructor(private readonly ports: EventPorts) {
    void this.connect();
  }

  /** The server closes a socket whose token has ended: tell it of the next one in time. */
  renew(token: string): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ token }));
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }

  private async connect(): Promise<void> {
    let token: string;
    try {
      token = await this.ports.token();
    } catch {
      this.later();
      return;
    }
    if (this.closed || !token) return;
    const open = this.ports.open ?? ((url: string) => new WebSocket(url));
    const socket = open(socketUrl('/api/v1/events'));
    this.socket = socket;
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ token }));
      this.ports.onOpen(this.opened > 0);
      this.opened += 1;
    });
    socket.addEventListener('message', (event: MessageEvent<unknown>) => {
      this.wait = 500;
      this.receive(event.data);
    });
    socket.addEventListener('close', () => {
      if (!this.closed) this.ports.onClosed();
      this.later();
    });
  }

  private receive(data: unknown): void {
    if (typeof data !== 'string') return;
    let message: unknown;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    for (const state of statesIn(message)) this.ports.onState(state);
    if (isRecord(message) && message.type === 'config_changed') this.ports.onCatalog();
  }

  private later(): void {
    if (this.closed) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), this.wait * (0.8 + Math.random() * 0.4));
    this.wait = Math.min(this.wait * 2, MAX_WAIT_MS);
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The stream states a message carries: one under `state`, or several under `states`. */
export function statesIn(message: unknown): StreamState[] {
  if (!isRecord(message)) return [];
  const found = Array.isArray(message.states) ? message.states : [message.state ?? message];
  return found.filter(
    (one): one is StreamState =>
      isRecord(one) &&
      typeof one.camera === 'string' &&
      typeof one.stream === 'string' &&
      typeof one.status === 'string',
  );
}

export function socketUrl(path: string): string {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return `${scheme}//${location.host}${path}`;
}
