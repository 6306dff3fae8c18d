/** Who is signed in, and whether the server answers. One client for the whole page. */

import { createSignal } from 'solid-js';
import { ApiClient } from '../api/client';
import type { User } from '../api/types';

type Phase = 'starting' | 'signed-out' | 'signed-in';

const [phase, setPhase] = createSignal<Phase>('starting');
const [user, setUser] = createSignal<User>();
const [reachable, setReachable] = createSignal(true);
const [expired, setExpired] = createSignal(false);

export { expired, phase, reachable, user };

const renewals = new Set<(token: string) => void>();

/** Hear of every new access token; returns how to stop. */
export function onToken(tell: (token: string) => void): () => void {
  renewals.add(tell);
  return () => renewals.delete(tell);
}

export const api = new ApiClient({
  onSession: (answer) => {
    for (const tell of renewals) tell(answer.access_token);
    setUser(answer.user);
    setExpired(false);
    setPhase('signed-in');
  },
  onSignedOut: () => {
    setExpired(phase() === 'signed-in');
    setPhase('signed-out');
    setUser(undefined);
  },
  onReachable: (now) => {
    setReachable(now);
    if (!now) watchForReturn();
  },
});

let watching = false;

/** Ask for the open health page until the server answers: every second, then slower. */
async function watchForReturn(): Promise<void> {
  if (watching) return;
  watching = true;
  let wait = 1000;
  while (!reachable()) {
    await new Promise((done) => setTimeout(done, wait));
    wait = Math.min(wait * 1.5, 8000);
    if (await answers()) setReachable(true);
  }
  watching = false;
  if (phase() === 'starting') void start();
}

/** Whether the open health page answers; a gateway that says the server is away does not count. */
async function answers(): Promise<boolean> {
  try {
    const answer = await fetch('/api/v1/health', { signal: AbortSignal.timeout(4000) });
    return answer.status !== 502 && answer.status !== 504;
  } catch {
    return false;
  }
}

/** Something broke that may mean that the server is gone: find out. */
export async function checkServer(): Promise<void> {
  if (!reachable() || (await answers())) return;
  setReachable(false);
  void watchForReturn();
}

/** Called once: picks up a session from the refresh cookie, or asks for a sign-in. */
export async function start(): Promise<void> {
  try {
    await api.refresh();
  } catch {
    if (reachable()) setPhase('signed-out');
  }
}

export async function signOut(): Promise<void> {
  try {
    await api.logout();
  } finally {
    setPhase('signed-out');
    setUser(undefined);
    setExpired(false);
  }
}

/** Roles by what the screens offer; the server decides in the end. */
export const isAdministrator = (): boolean => user()?.role === 'administrator';

/** Exports, locks and bookmarks are for operators and administrators. */
export const mayOperate = (): boolean =>
  user()?.role === 'administrator' || user()?.role === 'operator';
