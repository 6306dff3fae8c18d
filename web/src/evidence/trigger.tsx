/** A button that starts an event by hand, so that what is seen is recorded and found again. */

import { createSignal, Show } from 'solid-js';
import { createStore } from 'solid-js/store';
import { endEvent, triggerEvent } from '../api/timeline';
import type { Camera } from '../api/types';
import { t } from '../i18n';
import { mayOperate } from '../state/session';
import { Icon } from '../ui/icon';
import { toast, toastError } from '../ui/toast';

/** Nobody has to come back to end it. */
const LASTS_S = 60;

/** The events begun here that last, by camera; kept when the page changes. */
const [open, setOpen] = createStore<Record<string, string | undefined>>({});

async function begin(camera: Camera): Promise<void> {
  const { id } = await triggerEvent(camera.id, { kind: 'manual', duration_s: LASTS_S });
  setOpen(camera.id, id);
  setTimeout(() => {
    if (open[camera.id] === id) setOpen(camera.id, undefined);
  }, LASTS_S * 1000);
  toast(t('event.started', { name: camera.name, seconds: LASTS_S }), 'ok');
}

async function end(camera: Camera, event: string): Promise<void> {
  await endEvent(camera.id, event);
  setOpen(camera.id, undefined);
  toast(t('event.ended', { name: camera.name }), 'ok');
}

export function TriggerButton(props: { camera: Camera; class: string }) {
  const [busy, setBusy] = createSignal(false);
  const lasting = () => open[props.camera.id];
  const words = () => t(lasting() ? 'event.end' : 'event.start');
  const press = async () => {
    if (busy()) return;
    setBusy(true);
    try {
      const event = lasting();
      await (event ? end(props.camera, event) : begin(props.camera));
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Show when={mayOperate()}>
      <button
        type="button"
        class={props.class}
        classList={{ 'is-open': lasting() !== undefined }}
        data-trigger={lasting() ? 'open' : ''}
        aria-pressed={lasting() !== undefined}
        aria-label={`${words()}: ${props.camera.name}`}
        title={words()}
        onClick={() => void press()}
      >
        <Icon name="flag" />
      </button>
    </Show>
  );
}
