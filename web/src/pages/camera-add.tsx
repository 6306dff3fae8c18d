/** Add a camera: find it (or give its address), sign in to it, test it, save it. */

import { createSignal, For, Match, Show, Switch } from 'solid-js';
import type { DiscoveredDevice, OnvifProfile } from '../api/types';
import { Link } from '../app/router';
import { t } from '../i18n';
import { chooseProfiles } from '../live/facts';
import { isAdministrator } from '../state/session';
import { Empty } from '../ui/controls';
import { Icon } from '../ui/icon';
import { hostOf, splitCredentials } from './add/address';
import { FindStep } from './add/find';
import { SignStep } from './add/sign';
import { TestStep } from './add/test';
import { createDraft, emptyDraft, validUrl } from './camera-form';

type Step = 'find' | 'sign' | 'test';
const STEPS: readonly Step[] = ['find', 'sign', 'test'];

export function AddCameraPage() {
  const [step, setStep] = createSignal<Step>('find');
  const [target, setTarget] = createSignal('');
  const [draft, set] = createDraft(emptyDraft);
  const [profiles, setProfiles] = createSignal<OnvifProfile[]>([]);

  const toDevice = (device: DiscoveredDevice) => {
    setTarget(device.xaddrs[0] ?? device.address);
    set('name', device.name || device.hardware || device.address);
    setStep('sign');
  };
  const toAddress = (address: string) => {
    setProfiles([]);
    if (validUrl(address) && !/^https?:/i.test(address)) {
      const { clean, username, password } = splitCredentials(address);
      set({ mainUrl: clean, name: draft.name || hostOf(clean) });
      if (username) set({ username, password });
      setStep('test');
      return;
    }
    setTarget(address);
    set('name', hostOf(address));
    setStep('sign');
  };
  const toProfiles = (found: OnvifProfile[], name: string) => {
    const { main, sub } = chooseProfiles(found);
    setProfiles(found);
    set({
      mainUrl: main?.stream_uri ?? '',
      subUrl: sub?.stream_uri ?? '',
      name: name || draft.name,
      onvif: target(),
    });
    setStep('test');
  };

  return (
    <div class="page">
      <div class="page-inner narrow">
        <header class="page-head">
          <Link
            class="btn quiet icon"
            href="/cameras"
            aria-label={`${t('app.back')}: ${t('cameras.title')}`}
          >
            <Icon name="left" />
          </Link>
          <h1 class="grow">{t('add.title')}</h1>
        </header>
        <Show
          when={isAdministrator()}
          fallback={<Empty icon="lock" title={t('error.forbidden')} lead="" />}
        >
          <ol class="steps">
            <For each={STEPS}>
              {(name, index) => (
                <li
                  aria-current={step() === name ? 'step' : undefined}
                  classList={{ done: STEPS.indexOf(step()) > index() }}
                >
                  <span>{index() + 1}</span>
                  {t(`add.step.${name}`)}
                </li>
              )}
            </For>
          </ol>
          <Switch>
            <Match when={step() === 'find'}>
              <FindStep onDevice={toDevice} onAddress={toAddress} />
            </Match>
            <Match when={step() === 'sign'}>
              <SignStep
                address={target()}
                username={draft.username}
                password={draft.password}
                onChange={(username, password) => set({ username, password })}
                onProfiles={toProfiles}
                onManual={() => {
                  set('mainUrl', `rtsp://${hostOf(target())}/`);
                  setStep('test');
                }}
                onBack={() => setStep('find')}
              />
            </Match>
            <Match when={step() === 'test'}>
              <TestStep
                draft={draft}
                set={set}
                profiles={profiles()}
                onBack={() => setStep('find')}
              />
            </Match>
          </Switch>
        </Show>
      </div>
    </div>
  );
}
