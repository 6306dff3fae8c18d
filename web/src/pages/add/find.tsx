/** The first step of adding a camera: search the network, or give an address. */

import { createSignal, For, Show } from 'solid-js';
import { discover } from '../../api/cameras';
import type { DiscoveredDevice } from '../../api/types';
import { t, tn } from '../../i18n';
import { cameraList } from '../../state/cameras';
import { Busy, Field } from '../../ui/controls';
import { Icon } from '../../ui/icon';
import { explain } from '../../ui/toast';
import { hostOf } from './address';

const DISCOVER_SECONDS = 4;

export function FindStep(props: {
  onDevice: (device: DiscoveredDevice) => void;
  onAddress: (address: string) => void;
}) {
  const [devices, setDevices] = createSignal<DiscoveredDevice[]>();
  const [searching, setSearching] = createSignal(false);
  const [error, setError] = createSignal('');
  const [address, setAddress] = createSignal('');

  const search = async () => {
    setSearching(true);
    setError('');
    try {
      setDevices(await discover(DISCOVER_SECONDS));
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setSearching(false);
    }
  };
  const known = (device: DiscoveredDevice) =>
    cameraList().some((camera) =>
      camera.streams.some((stream) => hostOf(stream.url) === hostOf(device.address)),
    );

  return (
    <div class="stack">
      <section class="panel">
        <div class="panel-head">
          <div class="grow">
            <h2>{t('add.discover')}</h2>
            <p class="soft">{t('add.discover.lead')}</p>
          </div>
          <button
            type="button"
            class="btn primary"
            disabled={searching()}
            onClick={() => void search()}
          >
            <Busy when={searching()}>
              <Show when={!searching()}>
                <Icon name="radar" />
              </Show>
              {searching()
                ? t('add.discover.busy')
                : devices()
                  ? t('add.discover.again')
                  : t('add.discover')}
            </Busy>
          </button>
        </div>
        <div class="panel-body" aria-live="polite">
          <Show when={searching()}>
            <div class="progress" />
          </Show>
          <Show when={error()}>
            <p class="form-error" role="alert">
              {error()}
            </p>
          </Show>
          <Show when={!searching() && devices()}>
            {(found) => (
              <Show
                when={found().length > 0}
                fallback={<p class="soft">{t('add.discover.none')}</p>}
              >
                <p class="soft">{tn('add.discover.found', found().length)}</p>
                <ul class="device-list">
                  <For each={found()}>
                    {(device) => (
                      <li>
                        <Icon name="camera" />
                        <div class="grow">
                          <strong>{device.name || device.address}</strong>
                          <span class="faint num">
                            {[device.hardware, device.address].filter(Boolean).join(' · ')}
                          </span>
                        </div>
                        <Show when={known(device)}>
                          <span class="badge ok">{t('add.discover.known')}</span>
                        </Show>
                        <button
                          type="button"
                          class="btn small"
                          onClick={() => props.onDevice(device)}
                        >
                          {t('add.choose')}
                        </button>
                      </li>
                    )}
                  </For>
                </ul>
              </Show>
            )}
          </Show>
        </div>
      </section>
      <section class="panel">
        <div class="panel-head">
          <div class="grow">
            <h2>{t('add.manual')}</h2>
            <p class="soft">{t('add.manual.lead')}</p>
          </div>
        </div>
        <form
          class="panel-body inline-form"
          onSubmit={(event) => {
            event.preventDefault();
            if (address().trim()) props.onAddress(address().trim());
          }}
        >
          <Field
            label={t('add.address')}
            class="mono"
            inputmode="url"
            autocapitalize="none"
            hint={t('add.address.hint')}
            value={address()}
            onInput={(event) => setAddress(event.currentTarget.value)}
          />
          <button type="submit" class="btn" disabled={!address().trim()}>
            {t('add.continue')}
          </button>
        </form>
      </section>
    </div>
  );
}
