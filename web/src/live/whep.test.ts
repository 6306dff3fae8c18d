import { describe, expect, it } from 'vitest';
import { ApiError } from '../api/client';
import { LiveFailure } from './types';
import { asFailure, DelayMeter, ScreenDelay } from './whep';

const report = (inbound: object, roundTrip = 0.004) =>
  new Map<string, unknown>([
    ['a', { type: 'inbound-rtp', kind: 'audio', framesDecoded: 9 }],
    ['v', { type: 'inbound-rtp', kind: 'video', ...inbound }],
    ['p', { type: 'candidate-pair', nominated: true, currentRoundTripTime: roundTrip }],
  ]);

describe('DelayMeter', () => {
  it('needs two readings, then says the delay between them', () => {
    const meter = new DelayMeter();
    expect(meter.read(report({ framesDecoded: 10, totalProcessingDelay: 9 }))).toBeUndefined();
    const delay = meter.read(report({ framesDecoded: 35, totalProcessingDelay: 10 }));
    expect(delay).toBeCloseTo(42, 5);
  });

  it('makes do without totalProcessingDelay', () => {
    const meter = new DelayMeter();
    const base = { jitterBufferDelay: 1, jitterBufferEmittedCount: 50, totalDecodeTime: 0.1 };
    meter.read(report({ framesDecoded: 50, ...base }, 0));
    const next = { jitterBufferDelay: 2, jitterBufferEmittedCount: 75, totalDecodeTime: 0.2 };
    expect(meter.read(report({ framesDecoded: 75, ...next }, 0))).toBeCloseTo(44, 5);
  });

  it('says nothing while no frame is decoded', () => {
    const meter = new DelayMeter();
    meter.read(report({ framesDecoded: 10, totalProcessingDelay: 1 }));
    expect(meter.read(report({ framesDecoded: 10, totalProcessingDelay: 1 }))).toBeUndefined();
    expect(meter.read(new Map())).toBeUndefined();
  });
});

describe('ScreenDelay', () => {
  it('is the median of the last five frames', () => {
    const delay = new ScreenDelay();
    expect(delay.milliseconds).toBeUndefined();
    delay.note({ expectedDisplayTime: 100 });
    expect(delay.milliseconds).toBeUndefined();
    for (const late of [400, 30, 50, 40, 20, 60]) {
      delay.note({ receiveTime: 1000, expectedDisplayTime: 1000 + late });
    }
    expect(delay.milliseconds).toBe(40);
  });
});

describe('asFailure', () => {
  it('tells a way that never works from one that may', () => {
    expect(asFailure(new ApiError(406, 'H.265')).kind).toBe('unacceptable');
    expect(asFailure(new ApiError(503, 'busy')).kind).toBe('refused');
    expect(asFailure(new ApiError(0, 'unreachable')).kind).toBe('unreachable');
    expect(asFailure(new Error('bad SDP')).kind).toBe('unacceptable');
    const own = new LiveFailure('no-media', '');
    expect(asFailure(own)).toBe(own);
  });
});
