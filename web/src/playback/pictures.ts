/** The times of the pictures at hand, sorted, for stepping from one to the next. Pure. */

export interface Picture {
  /** Epoch milliseconds, with fractions. */
  ms: number;
  key: boolean;
}

/** The same picture fetched twice may differ by the rounding of its window's start. */
const SAME_MS = 2;

export class Pictures {
  private list: Picture[] = [];

  clear(): void {
    this.list = [];
  }

  get size(): number {
    return this.list.length;
  }

  add(pictures: readonly Picture[]): void {
    for (const one of pictures) {
      const at = this.place(one.ms - SAME_MS);
      const there = this.list[at];
      if (there && Math.abs(there.ms - one.ms) < SAME_MS) this.list[at] = one;
      else this.list.splice(this.place(one.ms), 0, one);
    }
  }

  remove(start: number, end: number): void {
    this.list = this.list.filter((one) => one.ms < start || one.ms >= end);
  }

  /** The picture shown at `ms`: the last that began by then. */
  shownAt(ms: number): Picture | undefined {
    return this.list[this.place(ms + SAME_MS / 2) - 1];
  }

  /** The picture after or before the one shown at `ms`. */
  neighbour(ms: number, by: 1 | -1): Picture | undefined {
    const shown = this.place(ms + SAME_MS / 2) - 1;
    return this.list[shown + by];
  }

  /** The last key picture at or before `ms`, the first after it if there is none. */
  keyBefore(ms: number): number | undefined {
    for (let index = this.place(ms + SAME_MS / 2) - 1; index >= 0; index -= 1) {
      if (this.list[index]?.key) return this.list[index]?.ms;
    }
    return undefined;
  }

  /** How many began before `ms`. */
  private place(ms: number): number {
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.list[middle]?.ms ?? 0) < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
