import { describe, expect, it } from 'vitest';
import { type Capabilities, ladder, WebrtcHealth } from './ladder';

const can = (webrtc: string[], mse: string[]): Capabilities => ({
  webrtc: new Set(webrtc),
  mse: new Set(mse),
});
const chromium = can(['h264'], ['h264']);
const words = (rungs: ReturnType<typeof ladder>) =>
  rungs.map((rung) => `${rung.stream}/${rung.transport}`);

describe('ladder', () => {
  const both = [
    { stream: 'main', codec: 'h264' },
    { stream: 'sub', codec: 'h264' },
  ];

  it('puts the wanted stream first, WebRTC before MSE', () => {
    expect(words(ladder(both, 'main', chromium))).toEqual([
      'main/webrtc',
      'main/mse',
      'sub/webrtc',
      'sub/mse',
    ]);
    expect(words(ladder(both, 'sub', chromium))[0]).toBe('sub/webrtc');
  });

  it('shows the H.264 sub stream where the main one is H.265 and cannot be played', () => {
    const mixed = [
      { stream: 'main', codec: 'h265' },
      { stream: 'sub', codec: 'h264' },
    ];
    expect(words(ladder(mixed, 'main', chromium))).toEqual(['sub/webrtc', 'sub/mse']);
  });

  it('plays H.265 by MSE where only MSE can', () => {
    const mixed = [
      { stream: 'main', codec: 'h265' },
      { stream: 'sub', codec: 'h264' },
    ];
    expect(words(ladder(mixed, 'main', can(['h264'], ['h264', 'h265'])))[0]).toBe('main/mse');
    expect(words(ladder(mixed, 'main', can(['h264', 'h265'], ['h264'])))[0]).toBe('main/webrtc');
  });

  it('is empty when nothing can be played', () => {
    expect(ladder([{ stream: 'main', codec: 'h265' }], 'main', chromium)).toEqual([]);
    expect(ladder([], 'main', chromium)).toEqual([]);
  });

  it('tries everything while the codec is unknown', () => {
    const unknown = [{ stream: 'main', codec: undefined }];
    expect(words(ladder(unknown, 'sub', chromium))).toEqual(['main/webrtc', 'main/mse']);
    expect(words(ladder(unknown, 'sub', can([], ['h264'])))).toEqual(['main/mse']);
  });

  it('tries MSE first where WebRTC is blocked, but keeps it as a last way', () => {
    expect(words(ladder(both, 'sub', chromium, true))).toEqual([
      'sub/mse',
      'sub/webrtc',
      'main/mse',
      'main/webrtc',
    ]);
  });
});

describe('WebrtcHealth', () => {
  it('blocks after two failures in a row and forgets after the hold', () => {
    let now = 0;
    const health = new WebrtcHealth(() => now, 2, 1000);
    health.failed();
    expect(health.blocked).toBe(false);
    health.failed();
    expect(health.blocked).toBe(true);
    now = 1001;
    expect(health.blocked).toBe(false);
  });

  it('a success clears it', () => {
    const health = new WebrtcHealth(() => 0);
    health.failed();
    health.worked();
    health.failed();
    expect(health.blocked).toBe(false);
  });
});
