import { describe, expect, it } from 'vitest';
import { between, firstChoice, moveEdge, SHORTEST } from './selection';

const limits = { start: 0, end: 1_000_000 };

describe('a chosen span', () => {
  it('takes its moments in any order, and is never too short', () => {
    expect(between(9000, 2000, limits)).toEqual({ start: 2000, end: 9000 });
    expect(between(2000, 2000, limits)).toEqual({ start: 2000, end: 2000 + SHORTEST });
    expect(between(1e9, 1e9, limits)).toEqual({ start: limits.end - SHORTEST, end: limits.end });
    expect(between(-50, 1e9, limits)).toEqual(limits);
  });

  it('is pushed along by an end that passes the other', () => {
    const span = { start: 10_000, end: 20_000 };
    expect(moveEdge(span, 'start', 15_000, limits)).toEqual({ start: 15_000, end: 20_000 });
    expect(moveEdge(span, 'start', 30_000, limits)).toEqual({ start: 30_000, end: 31_000 });
    expect(moveEdge(span, 'end', 5000, limits)).toEqual({ start: 4000, end: 5000 });
    expect(moveEdge(span, 'end', -9, limits)).toEqual({ start: 0, end: 1000 });
  });

  it('begins around the head', () => {
    const view = { start: 0, end: 100_000 };
    expect(firstChoice(50_000, view, limits)).toEqual({ start: 40_000, end: 60_000 });
  });
});
