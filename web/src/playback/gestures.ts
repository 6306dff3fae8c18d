/**
 * What hands do on the timeline, as plain numbers: a press on the ruler drags it, a press on the
 * rows scrubs, with Shift it chooses a span, and two fingers pinch and drag.
 */

import { length, msAt, panBy, type View, zoomAt } from './timeline';

export interface GestureTarget {
  view(): View;
  limits(): View;
  width(): number;
  /** Whether `y` lies on the ruler. */
  onRuler(y: number): boolean;
  setView(view: View): void;
  scrub(ms: number | undefined): void;
  seek(ms: number, y: number): void;
  choose(from: number, to: number): void;
}

interface Finger {
  x: number;
  y: number;
  startX: number;
}

type Doing = 'none' | 'press' | 'pan' | 'scrub' | 'choose' | 'pinch';

const SLACK = 5;

export class Gestures {
  private readonly fingers = new Map<number, Finger>();
  private doing: Doing = 'none';
  private anchor = 0;
  private shift = false;

  constructor(private readonly target: GestureTarget) {}

  private ms(x: number): number {
    return msAt(x, this.target.view(), this.target.width());
  }

  down(id: number, x: number, y: number, shift: boolean): void {
    this.fingers.set(id, { x, y, startX: x });
    if (this.fingers.size > 1) {
      if (this.doing === 'scrub') this.target.scrub(undefined);
      this.doing = 'pinch';
      return;
    }
    this.doing = 'press';
    this.shift = shift;
    this.anchor = this.ms(x);
  }

  move(id: number, x: number, y: number): void {
    const finger = this.fingers.get(id);
    if (!finger) return;
    if (this.doing === 'press' && Math.abs(x - finger.startX) > SLACK) {
      if (this.shift) this.doing = 'choose';
      else this.doing = this.target.onRuler(finger.y) ? 'pan' : 'scrub';
    }
    if (this.doing === 'pinch') this.pinch(id, finger, x);
    else if (this.doing === 'pan') this.pan(finger.x - x);
    else if (this.doing === 'scrub') this.target.scrub(this.ms(x));
    else if (this.doing === 'choose') this.target.choose(this.anchor, this.ms(x));
    finger.x = x;
    finger.y = y;
  }

  up(id: number, x: number): void {
    const finger = this.fingers.get(id);
    this.fingers.delete(id);
    if (!finger) return;
    if (this.doing === 'press' || this.doing === 'scrub') {
      this.target.scrub(undefined);
      this.target.seek(this.ms(x), finger.y);
    }
    if (this.fingers.size === 0) this.doing = 'none';
  }

  cancel(id: number): void {
    this.fingers.delete(id);
    this.target.scrub(undefined);
    if (this.fingers.size === 0) this.doing = 'none';
  }

  private pan(pixels: number): void {
    const view = this.target.view();
    const by = (pixels / Math.max(1, this.target.width())) * length(view);
    this.target.setView(panBy(view, by, this.target.limits()));
  }

  /** The moments under both fingers stay under them. */
  private pinch(id: number, finger: Finger, x: number): void {
    const other = [...this.fingers].find(([key]) => key !== id)?.[1];
    if (!other) return;
    const before = Math.max(12, Math.abs(finger.x - other.x));
    const after = Math.max(12, Math.abs(x - other.x));
    const fixed = this.ms(other.x);
    this.target.setView(zoomAt(this.target.view(), before / after, fixed, this.target.limits()));
  }
}
