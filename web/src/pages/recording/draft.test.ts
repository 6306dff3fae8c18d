import { describe, expect, it } from 'vitest';
import type { StreamConfig } from '../../api/types';
import { byEvents, draftOfStream, faultOf, streamOf } from './draft';

const stream: StreamConfig = {
  name: 'main',
  url: 'rtsp://h/1',
  transport: 'udp',
  recording: 'continuous',
  audio: true,
  pre_roll_s: 5,
  post_roll_s: 10,
  schedule: null,
};

describe('how a stream is recorded', () => {
  it('comes back as it was when nothing is changed', () => {
    expect(streamOf(draftOfStream(stream, 'UTC'), stream)).toEqual(stream);
    const planned = {
      ...stream,
      recording: 'schedule' as const,
      schedule: {
        zone: 'Europe/Lisbon',
        slots: [{ day: 0, start_minute: 61, end_minute: 90, mode: 'event' as const }],
        holidays: ['2026-12-25'],
      },
    };
    expect(streamOf(draftOfStream(planned, 'UTC'), planned)).toEqual(planned);
  });

  it('offers a calendar that records all the time, and saves it only in use', () => {
    const draft = draftOfStream(stream, 'America/Sao_Paulo');
    expect(streamOf({ ...draft, recording: 'event' }, stream).schedule).toBeNull();
    const saved = streamOf({ ...draft, recording: 'schedule' }, stream).schedule;
    expect(saved?.zone).toBe('America/Sao_Paulo');
    expect(saved?.slots).toHaveLength(8);
  });

  it('names the field that is wrong', () => {
    const draft = draftOfStream(stream, 'UTC');
    expect(faultOf(draft)).toBeUndefined();
    expect(faultOf({ ...draft, before: '61' })).toBe('before');
    expect(faultOf({ ...draft, before: '' })).toBe('before');
    expect(faultOf({ ...draft, after: '-1' })).toBe('after');
    expect(faultOf({ ...draft, after: 'soon' })).toBe('after');
    expect(streamOf({ ...draft, after: '2,5' }, stream).post_roll_s).toBe(2.5);
    const bad = { ...draft.calendar, holidays: 'xmas' };
    expect(faultOf({ ...draft, calendar: bad })).toBeUndefined();
    expect(faultOf({ ...draft, recording: 'schedule', calendar: bad })).toBe('holidays');
  });

  it('knows when the rolls matter', () => {
    const draft = draftOfStream(stream, 'UTC');
    expect(byEvents(draft)).toBe(false);
    expect(byEvents({ ...draft, recording: 'event' })).toBe(true);
    expect(byEvents({ ...draft, recording: 'schedule' })).toBe(false);
  });
});
