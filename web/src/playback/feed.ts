/** The arithmetic of buffered ranges: pure, in seconds of media time. */

import type { Ranges } from '../live/edge';

const TOLERANCE = 0.1;

/** The end of the buffered range that holds `at`, or undefined. */
export function rangeEnd(buffered: Ranges, at: number): number | undefined {
  for (let index = 0; index < buffered.length; index += 1) {
    if (at >= buffered.start(index) - TOLERANCE && at < buffered.end(index)) {
      return buffered.end(index);
    }
  }
  return undefined;
}
