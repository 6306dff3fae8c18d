import { describe, expect, it } from 'vitest';
import { Gestures } from './gestures';
import { HOUR, length, msAt, type View, xOf } from './timeline';

const limits = { start: 0, end: 48 * HOUR };

function rig() {
  const told: unknown[][] = [];
  const state = { view: { start: 10 * HOUR, end: 12 * HOUR } as View };
  const gestures = new Gestures({
    view: () => state.view,
    limits: () => limits,
    width: () => 1000,
    onRuler: (y) => y < 28,
    setView: (view) => {
      state.view = view;
    },
    scrub: (ms) => told.push(['scrub', ms]),
    seek: (ms) => told.push(['seek', ms]),
    choose: (from, to) => told.push(['choose', from, to]),
  });
  return { gestures, told, state };
}

describe('Gestures', () => {
  it('a press seeks, a drag scrubs and then seeks', () => {
    const { gestures, told } = rig();
    gestures.down(1, 500, 50, false);
    gestures.move(1, 502, 50);
    gestures.up(1, 502);
    expect(told.at(-1)?.[0]).toBe('seek');
    told.length = 0;
    gestures.down(1, 500, 50, false);
    gestures.move(1, 750, 50);
    expect(told).toEqual([['scrub', 11.5 * HOUR]]);
    gestures.up(1, 750);
    expect(told.slice(1)).toEqual([
      ['scrub', undefined],
      ['seek', 11.5 * HOUR],
    ]);
  });

  it('a drag of the ruler pans and seeks nothing', () => {
    const { gestures, told, state } = rig();
    gestures.down(1, 500, 10, false);
    gestures.move(1, 510, 10);
    gestures.move(1, 250, 10);
    gestures.up(1, 250);
    expect(state.view.start).toBeCloseTo(10.5 * HOUR, 0);
    expect(told).toEqual([]);
  });

  it('Shift chooses a span, either way', () => {
    const { gestures, told } = rig();
    gestures.down(1, 500, 50, true);
    gestures.move(1, 250, 50);
    expect(told).toEqual([['choose', 11 * HOUR, 10.5 * HOUR]]);
  });

  it('two fingers zoom and pan: both moments stay under them', () => {
    const { gestures, told, state } = rig();
    gestures.down(1, 400, 50, false);
    gestures.down(2, 600, 50, false);
    const [one, other] = [msAt(400, state.view, 1000), msAt(600, state.view, 1000)];
    for (let step = 1; step <= 50; step += 1) {
      gestures.move(1, 400 - 4 * step, 50);
      gestures.move(2, 600 + 2 * step, 50);
    }
    expect(xOf(one, state.view, 1000)).toBeCloseTo(200, 3);
    expect(xOf(other, state.view, 1000)).toBeCloseTo(700, 3);
    expect(length(state.view)).toBeLessThan(2 * HOUR);
    gestures.up(1, 200);
    gestures.up(2, 700);
    expect(told.filter(([what]) => what === 'seek')).toEqual([]);
  });
});
