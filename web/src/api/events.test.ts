import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventSocket, statesIn } from './events';

const state = { camera: 'a', stream: 'main', status: 'online', tracks: [] };

class FakeSocket extends EventTarget {
  static all: FakeSocket[] = [];
  readyState: number = WebSocket.OPEN;
  sent: string[] = [];
  constructor() {
    super();
    FakeSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.dispatchEvent(new Event('close'));
  }
  say(message: unknown): void {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
  }
}

describe('statesIn', () => {
  it('finds one, several, or none', () => {
    expect(statesIn({ type: 'states', states: [state, { odd: 1 }, null] })).toEqual([state]);
    expect(statesIn({ type: 'state', state })).toEqual([state]);
    expect(statesIn(state)).toEqual([state]);
    expect(statesIn({ type: 'config_changed', kind: 'camera' })).toEqual([]);
    expect(statesIn('text')).toEqual([]);
  });
});

describe('EventSocket', () => {
  const ports = {
    token: () => Promise.resolve('t1'),
    onState: vi.fn(),
    onOpen: vi.fn(),
    onCatalog: vi.fn(),
    onClosed: vi.fn(),
    open: () => new FakeSocket() as unknown as WebSocket,
  };
  const last = () => FakeSocket.all.at(-1) as FakeSocket;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.clearAllMocks();
    FakeSocket.all = [];
  });
  afterEach(() => void vi.useRealTimers());

  it('signs in first, hands on states and changes, and renews its token', async () => {
    const events = new EventSocket(ports);
    await vi.advanceTimersByTimeAsync(0);
    last().dispatchEvent(new Event('open'));
    expect(last().sent).toEqual(['{"token":"t1"}']);
    last().say({ type: 'states', states: [state] });
    expect(ports.onState).toHaveBeenCalledWith(state);
    last().say({ type: 'config_changed', kind: 'camera' });
    expect(ports.onCatalog).toHaveBeenCalledOnce();
    events.renew('t2');
    expect(last().sent[1]).toBe('{"token":"t2"}');
    events.close();
  });

  it('comes back with growing waits until closed', async () => {
    const events = new EventSocket(ports);
    await vi.advanceTimersByTimeAsync(0);
    for (let round = 1; round <= 4; round += 1) {
      last().close();
      expect(ports.onClosed).toHaveBeenCalledTimes(round);
      await vi.advanceTimersByTimeAsync(500 * 2 ** round);
      expect(FakeSocket.all).toHaveLength(round + 1);
    }
    events.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.all).toHaveLength(5);
  });
});
