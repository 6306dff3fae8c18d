import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebrtcHealth } from './ladder';
import { type Inputs, LivePlayer, type View } from './player';
import { LiveFailure, type Rung, type Session } from './types';

class FakeSession implements Session {
  readonly video = document.createElement('video');
  readonly ready: Promise<void>;
  readonly ended: Promise<LiveFailure>;
  closed = false;
  play: () => void = () => undefined;
  refuse: (failure: LiveFailure) => void = () => undefined;
  end: (failure: LiveFailure) => void = () => undefined;

  constructor(readonly rung: Rung) {
    this.ready = new Promise((resolve, reject) => {
      this.play = resolve;
      this.refuse = reject;
    });
    this.ready.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  delayMs = () => Promise.resolve(42);
  close(): void {
    this.closed = true;
  }
}

const online = (codecs: Record<string, string>): Inputs => ({
  streams: Object.entries(codecs).map(([stream, codec]) => ({
    stream,
    codec,
    status: 'online' as const,
    reason: '',
  })),
  want: 'sub',
  active: true,
  enabled: true,
});

const settle = () => vi.advanceTimersByTimeAsync(0);

describe('LivePlayer', () => {
  let opened: FakeSession[];
  let view: View;
  let player: LivePlayer;
  const last = () => opened.at(-1) as FakeSession;
  const way = () => `${last().rung.stream}/${last().rung.transport}`;

  beforeEach(() => {
    vi.useFakeTimers();
    opened = [];
    player = new LivePlayer(document.createElement('div'), document.createElement('canvas'), {
      open: (rung) => {
        const session = new FakeSession(rung);
        opened.push(session);
        return session;
      },
      capabilities: { webrtc: new Set(['h264']), mse: new Set(['h264']) },
      webrtc: new WebrtcHealth(() => 0),
      random: () => 0.5,
      onChange: (next) => {
        view = next;
      },
    });
  });
  afterEach(() => {
    player.close();
    vi.useRealTimers();
  });

  const both = online({ main: 'h264', sub: 'h264' });

  it('connects by the best way and says it plays', async () => {
    player.update(both);
    expect(view.state).toBe('connecting');
    expect(way()).toBe('sub/webrtc');
    last().play();
    await settle();
    expect(view).toMatchObject({ state: 'playing', rung: { stream: 'sub', transport: 'webrtc' } });
    await vi.advanceTimersByTimeAsync(1000);
    expect(view.delayMs).toBe(42);
  });

  it('falls to MSE at once when WebRTC is not acceptable', async () => {
    player.update(both);
    last().refuse(new LiveFailure('unacceptable', '406'));
    await settle();
    expect(way()).toBe('sub/mse');
    expect(opened[0]?.closed).toBe(true);
  });

  it('waits and tries again when the server refuses', async () => {
    player.update(both);
    last().refuse(new LiveFailure('refused', 'Too many viewers.'));
    await settle();
    expect(opened).toHaveLength(1);
    expect(view).toMatchObject({ state: 'connecting', reason: 'Too many viewers.' });
    expect(view.retryAt).toBeGreaterThan(0);
    await vi.advanceTimersByTimeAsync(1001);
    expect(opened).toHaveLength(2);
    expect(way()).toBe('sub/webrtc');
  });

  it('waits longer each round', async () => {
    player.update(both);
    for (const wait of [1000, 2000, 4000, 8000, 15_000, 15_000]) {
      last().refuse(new LiveFailure('unreachable', ''));
      await settle();
      const count = opened.length;
      await vi.advanceTimersByTimeAsync(wait - 10);
      expect(opened).toHaveLength(count);
      await vi.advanceTimersByTimeAsync(20);
      expect(opened).toHaveLength(count + 1);
    }
  });

  it('keeps the old picture until the larger stream shows', async () => {
    player.update(both);
    last().play();
    await settle();
    const small = last();
    player.update({ ...both, want: 'main' });
    expect(way()).toBe('main/webrtc');
    expect(small.closed).toBe(false);
    expect(view.state).toBe('playing');
    last().play();
    await settle();
    expect(small.closed).toBe(true);
    expect(view.rung?.stream).toBe('main');
  });

  it('goes back without a second connection when the wish is taken back', async () => {
    player.update(both);
    last().play();
    await settle();
    player.update({ ...both, want: 'main' });
    const large = last();
    player.update(both);
    expect(large.closed).toBe(true);
    expect(opened).toHaveLength(2);
    expect(view.rung?.stream).toBe('sub');
  });

  it('rests while the camera is away and starts when it is back', async () => {
    const away: Inputs = {
      ...both,
      streams: both.streams.map((s) => ({ ...s, status: 'held', reason: 'Wrong password.' })),
    };
    player.update(away);
    expect(opened).toHaveLength(0);
    expect(view).toMatchObject({ state: 'held', reason: 'Wrong password.' });
    player.update(both);
    expect(opened).toHaveLength(1);
  });

  it('lets go when nobody looks', async () => {
    player.update(both);
    last().play();
    await settle();
    player.update({ ...both, active: false });
    expect(last().closed).toBe(true);
    expect(view).toMatchObject({ state: 'paused', picture: true });
  });

  it('says so when the browser can play none of the streams', () => {
    player.update(online({ main: 'h265' }));
    expect(view).toMatchObject({ state: 'unsupported', reason: 'h265' });
  });

  it('comes back after the connection is lost', async () => {
    player.update(both);
    last().play();
    await settle();
    last().end(new LiveFailure('lost', ''));
    await settle();
    expect(view.state).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(1001);
    expect(opened).toHaveLength(2);
  });

  it('skips WebRTC after it reached nobody twice', async () => {
    player.update(both);
    last().refuse(new LiveFailure('no-media', ''));
    await settle();
    expect(way()).toBe('sub/mse');
    last().refuse(new LiveFailure('no-media', ''));
    await settle();
    expect(way()).toBe('main/webrtc');
    last().refuse(new LiveFailure('no-media', ''));
    await settle();
    expect(way()).toBe('main/mse');
  });

  it('opens nothing after it is closed', () => {
    player.close();
    player.update(both);
    expect(opened).toHaveLength(0);
  });
});
