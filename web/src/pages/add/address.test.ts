import { describe, expect, it } from 'vitest';
import { emptyDraft, streamsOf, validUrl } from '../camera-form';
import { hostOf, splitCredentials } from './address';

describe('addresses', () => {
  it('finds the host in any form of address', () => {
    expect(hostOf('192.168.1.20')).toBe('192.168.1.20');
    expect(hostOf('cam.local:8080')).toBe('cam.local');
    expect(hostOf('rtsp://u:p@10.0.0.2:554/a')).toBe('10.0.0.2');
    expect(hostOf('http://10.0.0.2/onvif/device_service')).toBe('10.0.0.2');
  });

  it('takes credentials out of an address', () => {
    expect(splitCredentials('rtsp://ad%40min:p:w@h/x')).toEqual({
      clean: 'rtsp://h/x',
      username: 'ad@min',
      password: 'p:w',
    });
    expect(splitCredentials('rtsp://h/x@y')).toEqual({
      clean: 'rtsp://h/x@y',
      username: '',
      password: '',
    });
    expect(splitCredentials('rtsp://%zz@h/').username).toBe('%zz');
  });

  it('knows an address it can use', () => {
    expect(validUrl('rtsp://h/x')).toBe(true);
    expect(validUrl('RTSPS://h')).toBe(true);
    expect(validUrl('192.168.1.2')).toBe(false);
    expect(validUrl('javascript:alert(1)')).toBe(false);
    expect(validUrl('rtsp://h /x')).toBe(false);
  });
});

describe('streamsOf', () => {
  it('makes main and sub, and keeps what the form does not show', () => {
    const draft = { ...emptyDraft, mainUrl: ' rtsp://h/1 ', subUrl: 'rtsp://h/2' };
    const kept = { audio: false, pre_roll_s: 3, post_roll_s: 7, schedule: null } as const;
    const off = { transport: 'tcp', recording: 'off', ...kept } as const;
    const third = { ...off, name: 'third', url: 'rtsp://h/3' };
    const old = { ...off, name: 'big', url: '' };
    const made = streamsOf(draft, [old, old, third]);
    expect(made.map((one) => one.name)).toEqual(['big', 'big', 'third']);
    expect(made[0]).toEqual({ ...old, url: 'rtsp://h/1', recording: 'continuous' });
    const byEvents = streamsOf(draft, [{ ...old, recording: 'event' }]);
    expect(byEvents[0]?.recording).toBe('event');
    expect(
      streamsOf({ ...draft, record: false }, [{ ...old, recording: 'event' }])[0],
    ).toMatchObject({ recording: 'off' });
    expect(streamsOf({ ...draft, subUrl: ' ' })).toHaveLength(1);
  });
});
