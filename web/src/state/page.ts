/** What the browser window is doing. */

import { createSignal } from 'solid-js';

/** A short look at another tab should not cost a reconnect. */
const GRACE_MS = 5000;

const [watched, setWatched] = createSignal(!document.hidden);
let timer: ReturnType<typeof setTimeout> | undefined;

document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  if (!document.hidden) setWatched(true);
  else timer = setTimeout(() => setWatched(false), GRACE_MS);
});

/** Leaving for good: nothing is watched at once, so that sessions are ended on the server. */
window.addEventListener('pagehide', () => setWatched(false));
window.addEventListener('pageshow', () => setWatched(!document.hidden));

export { watched };

const [now, setNow] = createSignal(Date.now());
setInterval(() => setNow(Date.now()), 1000);

/** The time, once a second. */
export { now };
