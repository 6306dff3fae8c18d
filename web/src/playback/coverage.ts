/** Which spans of time are already fetched, or known to hold nothing. Pure. */

export interface Known {
  start: number;
  end: number;
  /** Nothing is recorded there. */
  empty: boolean;
  /** Time (of the caller's clock) at which this is no longer sure; footage may grow. */
  until: number;
}

export interface Missing {
  start: number;
  end: number;
}

const SLACK = 1;

export class Coverage {
  private list: Known[] = [];

  clear(): void {
    this.list = [];
  }

  /** Note [start, end); what was known of it before is replaced. */
  add(start: number, end: number, empty: boolean, until = Number.POSITIVE_INFINITY): void {
    if (end <= start) return;
    this.remove(start, end);
    const at = this.list.findIndex((one) => one.start >= end - SLACK);
    const entry = { start, end, empty, until };
    if (at < 0) this.list.push(entry);
    else this.list.splice(at, 0, entry);
    this.join();
  }

  remove(start: number, end: number): void {
    this.list = this.list.flatMap((one) => {
      if (one.end <= start || one.start >= end) return [one];
      const parts: Known[] = [];
      if (one.start < start) parts.push({ ...one, end: start });
      if (one.end > end) parts.push({ ...one, start: end });
      return parts;
    });
  }

  private join(): void {
    const joined: Known[] = [];
    for (const one of this.list) {
      const last = joined.at(-1);
      const same = last && last.empty === one.empty && last.until === one.until;
      if (same && one.start - last.end <= SLACK) last.end = Math.max(last.end, one.end);
      else joined.push({ ...one });
    }
    this.list = joined;
  }

  at(ms: number, now: number): Known | undefined {
    return this.list.find((one) => ms >= one.start - SLACK && ms < one.end && now < one.until);
  }

  /** How far everything is known from `ms` on, forwards or backwards; `ms` itself if nothing is. */
  reach(ms: number, direction: 1 | -1, now: number): number {
    let at = ms;
    const sure = this.list.filter((one) => now < one.until);
    if (direction > 0) {
      for (const one of sure) if (one.start <= at + SLACK && one.end > at) at = one.end;
    } else {
      for (const one of sure.toReversed())
        if (one.end >= at - SLACK && one.start < at) at = one.start;
    }
    return at;
  }

  /**
   * The first part not known within `ahead` of `ms`, at most `most` long; it ends, or going
   * backwards begins, where something else is known.
   */
  missing(
    ms: number,
    direction: 1 | -1,
    ahead: number,
    most: number,
    now: number,
  ): Missing | undefined {
    const edge = this.at(ms, now) ? this.reach(ms, direction, now) : ms;
    if (edge !== ms && Math.abs(edge - ms) >= ahead) return undefined;
    const sure = this.list.filter((one) => now < one.until);
    if (direction > 0) {
      const next = sure.find((one) => one.start > edge + SLACK);
      return { start: edge, end: Math.min(edge + most, next?.start ?? Number.POSITIVE_INFINITY) };
    }
    const before = sure.findLast((one) => one.end < edge - SLACK);
    // At a moment not known a little more is asked for, so that its own picture is among it.
    const end = edge === ms && !this.at(ms, now) ? ms + SLACK : edge;
    return { start: Math.max(edge - most, before?.end ?? Number.NEGATIVE_INFINITY), end };
  }
}
