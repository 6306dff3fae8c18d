/** What is known of a camera's streams, in words short enough for a table. */

import type { StreamState, Track } from '../api/types';
import { number, t } from '../i18n';

export const isVideo = (track: Track): boolean => /^h26/.test(track.codec);

export const codecLabel = (codec: string): string =>
  codec.replace(/^h26/, 'H.26').replace(/^(aac|opus|pcmu|pcma)$/, (name) => name.toUpperCase());

export const videoOf = (state: StreamState | undefined): Track | undefined =>
  state?.tracks.find(isVideo);

export const audioOf = (state: StreamState | undefined): Track | undefined =>
  state?.tracks.find((track) => !isVideo(track));

export const sizeOf = (track: Track | undefined): string =>
  track?.width ? `${track.width}×${track.height}` : '';

/** '12 ms ahead', 'In step': a camera's clock beside the server's. */
export function clockWords(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return t('app.unknown');
  const size = Math.abs(ms);
  if (size < 1) return t('camera.clock.same');
  const value =
    size < 1000 ? `${number(size)} ms` : `${number(size / 1000, size < 10_000 ? 1 : 0)} s`;
  return t(ms > 0 ? 'camera.clock.ahead' : 'camera.clock.behind', { value });
}

/** An id from a name: 'Café, porta 2' becomes 'cafe-porta-2'. */
export function idFromName(name: string): string {
  return name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
}

/** Two profiles of a device: the largest, and a small one, H.264 if there is one. */
export function chooseProfiles<P extends { codec: string; width: number; height: number }>(
  profiles: readonly P[],
): { main: P | undefined; sub: P | undefined } {
  const area = (profile: P) => profile.width * profile.height;
  const sorted = [...profiles].sort((a, b) => area(b) - area(a));
  const main = sorted[0];
  const smaller = sorted.filter((one) => main && area(one) < area(main));
  const isH264 = (one: P) => /h\.?264/i.test(one.codec);
  const handy = smaller.filter((one) => one.width >= 320);
  const sub =
    handy.findLast(isH264) ?? smaller.find(isH264) ?? handy.at(-1) ?? smaller.at(-1) ?? undefined;
  // An H.265 main with an H.264 twin of the same size: the twin is what browsers can play.
  const twin = sorted.find((one) => one !== main && isH264(one));
  return { main, sub: sub ?? (main && !isH264(main) ? twin : undefined) };
}
