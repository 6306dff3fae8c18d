/** The arithmetic of the grid: pages of tiles and moving the focus between them. Pure. */

export const LAYOUTS = [1, 4, 9, 16] as const;
export type Layout = (typeof LAYOUTS)[number];

export const columnsOf = (layout: Layout): number => Math.sqrt(layout);

/** The smallest layout that shows `count` cameras on one page, or the largest there is. */
export function layoutFor(count: number): Layout {
  return LAYOUTS.find((layout) => layout >= count) ?? 16;
}

export function asLayout(value: string | number | undefined): Layout | undefined {
  return LAYOUTS.find((layout) => layout === Number(value));
}

export function pageCount(cameras: number, layout: Layout): number {
  return Math.max(1, Math.ceil(cameras / layout));
}

/** `page` brought into 0..pages-1, going round at both ends. */
export function turnTo(page: number, pages: number): number {
  return ((page % pages) + pages) % pages;
}

export type Direction = 'left' | 'right' | 'up' | 'down';

/**
 * Where the focus goes from `index` on a page of `count` tiles in `columns`. 'previous' and
 * 'next' ask for a page turn: the focus went over the left or right edge.
 */
export function moveFocus(
  index: number,
  direction: Direction,
  columns: number,
  count: number,
): number | 'previous' | 'next' {
  const column = index % columns;
  switch (direction) {
    case 'left':
      return column === 0 ? 'previous' : index - 1;
    case 'right':
      return column === columns - 1 || index + 1 >= count ? 'next' : index + 1;
    case 'up':
      return index - columns >= 0 ? index - columns : index;
    case 'down':
      return index + columns < count ? index + columns : index;
  }
}
