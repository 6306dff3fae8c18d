/** What the server says now, asked again and again while somebody looks. */

import { createEffect, createResource, onCleanup } from 'solid-js';
import { watched } from './page';

const EVERY_MS = 10_000;

/** `known` is the last answer, also while the next one is awaited; undefined after an error. */
export function createPolled<T>(get: () => Promise<T>) {
  const [info, { refetch }] = createResource(get);
  createEffect(() => {
    if (!watched()) return;
    const timer = setInterval(() => void refetch(), EVERY_MS);
    onCleanup(() => clearInterval(timer));
  });
  const known = () => (info.state === 'errored' ? undefined : info.latest);
  return { info, known, refetch };
}
