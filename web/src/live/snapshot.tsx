/** A small still picture of a camera, fetched with the session's token and renewed now and then. */

import { createEffect, createSignal, onCleanup, Show } from 'solid-js';
import type { Camera } from '../api/types';
import { watched } from '../state/page';
import { api } from '../state/session';
import { Icon } from '../ui/icon';

const EVERY_MS = 20_000;
const WIDTH = 320;

export async function fetchSnapshot(camera: string, stream: string, width = 0): Promise<Blob> {
  const path = `/cameras/${encodeURIComponent(camera)}/streams/${encodeURIComponent(stream)}`;
  const response = await api.raw('GET', `${path}/snapshot.jpg`, {
    query: { width: width || undefined },
    headers: { Accept: 'image/jpeg' },
  });
  return response.blob();
}

export function Snapshot(props: { camera: Camera; live: boolean }) {
  const [url, setUrl] = createSignal<string>();
  const show = (next: string | undefined) => {
    const before = url();
    setUrl(next);
    if (before) URL.revokeObjectURL(before);
  };
  // The smallest stream is the cheapest to decode.
  const stream = () => props.camera.streams.at(-1)?.name ?? 'main';
  createEffect(() => {
    const id = props.camera.id;
    const name = stream();
    if (!props.live || !watched()) return;
    let stopped = false;
    const renew = async () => {
      const picture = await fetchSnapshot(id, name, WIDTH).catch(() => undefined);
      if (picture && !stopped) show(URL.createObjectURL(picture));
    };
    void renew();
    const timer = setInterval(() => void renew(), EVERY_MS);
    onCleanup(() => {
      stopped = true;
      clearInterval(timer);
    });
  });
  onCleanup(() => show(undefined));
  return (
    <span class="snapshot">
      <Show when={url()} fallback={<Icon name="camera" />}>
        {(source) => <img src={source()} alt="" />}
      </Show>
    </span>
  );
}
