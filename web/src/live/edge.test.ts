import { describe, expect, it } from 'vitest';
import { AppendQueue, chase, LagTarget, type Ranges, trim } from './edge';

const ranges = (...spans: [number, number][]): Ranges => ({
  length: spans.length,
  start: (index) => (spans[index] as [number, number])[0],
  end: (index) => (spans[index] as [number, number])[1],
});

describe('chase', () => {
  it('does nothing without data', () => {
    expect(chase(ranges(), 0, 0.1)).toEqual({ rate: 1 });
  });

  it('seeks to the edge when far behind, before the start, or past the end', () => {
    expect(chase(ranges([0, 10]), 2, 0.1).seek).toBeCloseTo(9.95);
    expect(chase(ranges([5, 10]), 0, 0.1).seek).toBeCloseTo(9.95);
    expect(chase(ranges([5, 10]), 12, 0.1).seek).toBeCloseTo(9.95);
  });

  it('jumps over a hole into the newest span', () => {
    expect(chase(ranges([0, 4], [8, 8.5]), 3.9, 0.1).seek).toBeCloseTo(8.45);
  });

  it('plays a little faster when behind, slower when about to run dry', () => {
    expect(chase(ranges([0, 10]), 9.6, 0.1)).toEqual({ rate: 1.15 });
    expect(chase(ranges([0, 10]), 9.8, 0.1)).toEqual({ rate: 1.05 });
    expect(chase(ranges([0, 10]), 9.9, 0.1)).toEqual({ rate: 1 });
    expect(chase(ranges([0, 10]), 9.99, 0.1)).toEqual({ rate: 0.97 });
  });

  it('never seeks before the start of a short span', () => {
    expect(chase(ranges([9.99, 10]), 1, 0.5).seek).toBeCloseTo(9.99);
  });
});

describe('LagTarget', () => {
  it('grows when dry, shrinks when calm, and stays in bounds', () => {
    const target = new LagTarget(0.04);
    expect(target.seconds).toBeCloseTo(0.08);
    target.ranDry();
    expect(target.seconds).toBeCloseTo(0.14);
    for (let i = 0; i < 100; i++) target.ranDry();
    expect(target.seconds).toBeCloseTo(0.8);
    for (let i = 0; i < 1000; i++) target.calm();
    expect(target.seconds).toBeCloseTo(0.06);
  });
});

describe('trim', () => {
  it('drops old seconds in large pieces only', () => {
    expect(trim(ranges([0, 12]), 12)).toBeUndefined();
    expect(trim(ranges([0, 20]), 20)).toEqual({ from: 0, to: 14 });
    expect(trim(ranges(), 20)).toBeUndefined();
  });
});

describe('AppendQueue', () => {
  const piece = (...values: number[]) => new Uint8Array(values).buffer;

  it('joins what waits, in order, once', () => {
    const queue = new AppendQueue();
    expect(queue.take()).toBeUndefined();
    queue.push(piece(1));
    queue.push(piece(2, 3));
    expect([...new Uint8Array(queue.take() as ArrayBuffer)]).toEqual([1, 2, 3]);
    expect(queue.size).toBe(0);
    expect(queue.take()).toBeUndefined();
  });

  it('refuses beyond its bound', () => {
    const queue = new AppendQueue(4);
    expect(queue.push(piece(1, 2, 3))).toBe(true);
    expect(queue.push(piece(4, 5))).toBe(false);
    expect(queue.size).toBe(3);
    queue.clear();
    expect(queue.push(piece(4, 5))).toBe(true);
  });
});
