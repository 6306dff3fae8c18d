/** The one clock that all pictures of the playback page follow. Pure: the time is given to it. */

export class MasterClock {
  private anchorMs = 0;
  private since = 0;
  private speed = 1;
  private on = false;

  /** Wall time, epoch milliseconds, at `now` (milliseconds of a clock that does not jump). */
  at(now: number): number {
    return this.on ? this.anchorMs + (now - this.since) * this.speed : this.anchorMs;
  }

  get running(): boolean {
    return this.on;
  }

  /** Wall seconds a second; below 0: backwards. */
  get rate(): number {
    return this.speed;
  }

  set(ms: number, now: number): void {
    this.anchorMs = ms;
    this.since = now;
  }

  setRate(rate: number, now: number): void {
    this.set(this.at(now), now);
    this.speed = rate;
  }

  run(on: boolean, now: number): void {
    if (on === this.on) return;
    this.set(this.at(now), now);
    this.on = on;
  }
}
