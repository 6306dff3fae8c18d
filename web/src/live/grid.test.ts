import { describe, expect, it } from 'vitest';
import { asLayout, layoutFor, moveFocus, pageCount, turnTo } from './grid';

describe('grid', () => {
  it('chooses the smallest layout that holds all', () => {
    expect([0, 1, 2, 4, 5, 9, 10, 16, 40].map(layoutFor)).toEqual([1, 1, 4, 4, 9, 9, 16, 16, 16]);
  });

  it('counts and turns pages round', () => {
    expect(pageCount(0, 4)).toBe(1);
    expect(pageCount(9, 4)).toBe(3);
    expect(turnTo(-1, 3)).toBe(2);
    expect(turnTo(3, 3)).toBe(0);
  });

  it('moves the focus inside and asks for pages at the edges', () => {
    expect(moveFocus(0, 'right', 2, 4)).toBe(1);
    expect(moveFocus(1, 'right', 2, 4)).toBe('next');
    expect(moveFocus(2, 'left', 2, 4)).toBe('previous');
    expect(moveFocus(0, 'down', 2, 4)).toBe(2);
    expect(moveFocus(2, 'down', 2, 4)).toBe(2);
    expect(moveFocus(3, 'up', 2, 4)).toBe(1);
  });

  it('does not walk onto empty places', () => {
    expect(moveFocus(2, 'right', 2, 3)).toBe('next');
    expect(moveFocus(1, 'down', 2, 3)).toBe(1);
  });

  it('reads a remembered layout', () => {
    expect(asLayout('9')).toBe(9);
    expect(asLayout('7')).toBeUndefined();
    expect(asLayout(undefined)).toBeUndefined();
  });
});
