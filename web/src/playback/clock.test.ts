import { describe, expect, it } from 'vitest';
import { MasterClock } from './clock';

describe('MasterClock', () => {
  it('stands until it runs, then goes at its rate, either way', () => {
    const clock = new MasterClock();
    clock.set(1_000_000, 0);
    expect(clock.at(500)).toBe(1_000_000);
    clock.run(true, 500);
    expect(clock.at(1500)).toBe(1_001_000);
    clock.setRate(4, 1500);
    expect(clock.at(2500)).toBe(1_005_000);
    clock.setRate(-0.5, 2500);
    expect(clock.at(4500)).toBe(1_004_000);
    clock.run(false, 4500);
    expect(clock.at(9999)).toBe(1_004_000);
    expect(clock.running).toBe(false);
  });

  it('does not jump when told twice', () => {
    const clock = new MasterClock();
    clock.run(true, 0);
    clock.run(true, 700);
    expect(clock.at(1000)).toBe(1000);
  });
});
