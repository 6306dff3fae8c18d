/** Add a camera: find it (or give its address), sign in to it, test it, save it. */

import { createSignal, For, Match, Show, Switch } from 'solid-js';
import { addCamera, askOnvif, discover, probe } from '../api/cameras';
import { ApiError } from '../api/client';
import type { DiscoveredDevice, OnvifProfile, ProbeAnswer } from '../api/types';
import { Link, navigate } from '../app/router';
import { number, t, tn } from '../i18n';
import { chooseProfiles, codecLabel, isVideo, sizeOf } from '../live/facts';
import { cameraList, reloadCameras } from '../state/cameras';
import { isAdministrator } from '../state/session';
import { Busy, Empty, Field } from '../ui/controls';
import { Icon } from '../ui/icon';
import { explain, toast } from '../ui/toast';
import {
  CameraFields,
  checkDraft,
  createDraft,
  emptyDraft,
  isSound,
  streamsOf,
  validUrl,
} from './camera-form';

const DISCOVER_SECONDS = 4;

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

function FindStep(props: {
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

function SignStep(props: {
  address: string;
  username: string;
  password: string;
  onChange: (username: string, password: string) => void;
  onProfiles: (profiles: OnvifProfile[], name: string) => void;
  onManual: () => void;
  onBack: () => void;
}) {
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal('');
  const ask = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy()) return;
    setBusy(true);
    setError('');
    try {
      const found = await askOnvif(props.address, props.username, props.password);
      const usable = found.profiles.filter((profile) => profile.stream_uri);
      props.onProfiles(usable, [found.manufacturer, found.model].filter(Boolean).join(' '));
    } catch (failure) {
      setError(t('add.onvif.failed', { detail: explain(failure) }));
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="panel">
      <div class="panel-head">
        <div class="grow">
          <h2>{t('add.credentials', { address: hostOf(props.address) })}</h2>
          <p class="soft">{t('add.credentials.lead')}</p>
        </div>
      </div>
      <form class="panel-body stack" onSubmit={ask} novalidate>
        <div class="two">
          <Field
            label={t('form.username')}
            autocapitalize="none"
            value={props.username}
            onInput={(event) => props.onChange(event.currentTarget.value, props.password)}
          />
          <Field
            label={t('form.password')}
            type="password"
            autocomplete="new-password"
            value={props.password}
            onInput={(event) => props.onChange(props.username, event.currentTarget.value)}
          />
        </div>
        <Show when={error()}>
          <p class="form-error" role="alert">
            {error()}
          </p>
        </Show>
        <div class="dialog-foot">
          <button type="button" class="btn quiet" onClick={() => props.onBack()}>
            {t('app.back')}
          </button>
          <Show when={error()}>
            <button type="button" class="btn" onClick={() => props.onManual()}>
              {t('add.onvif.manual')}
            </button>
          </Show>
          <button type="submit" class="btn primary" disabled={busy()}>
            <Busy when={busy()}>{busy() ? t('add.asking') : t('add.ask')}</Busy>
          </button>
        </div>
      </form>
    </section>
  );
}

interface Tested {
  stream: 'main' | 'sub';
  answer?: ProbeAnswer;
  error?: string;
}

function TestStep(props: {
  draft: ReturnType<typeof createDraft>[0];
  set: ReturnType<typeof createDraft>[1];
  profiles: OnvifProfile[];
  onBack: () => void;
}) {
  const [tested, setTested] = createSignal<Tested[]>([]);
  const [testing, setTesting] = createSignal(false);
  const [saving, setSaving] = createSignal(false);
  const [tried, setTried] = createSignal(false);
  const [error, setError] = createSignal('');
  const errors = () => (tried() ? checkDraft(props.draft) : {});
  const works = () => tested().length > 0 && tested().every((one) => one.answer !== undefined);

  const test = async () => {
    setTried(true);
    if (testing() || !isSound({ ...checkDraft(props.draft), name: undefined })) return;
    setTesting(true);
    setTested([]);
    const { username, password, transport, mainUrl, subUrl } = props.draft;
    const one = async (stream: 'main' | 'sub', url: string) => {
      try {
        const answer = await probe({ url: url.trim(), username, password, transport });
        setTested((all) => [...all, { stream, answer }]);
      } catch (failure) {
        const words =
          failure instanceof ApiError && failure.detail ? failure.detail : explain(failure);
        setTested((all) => [...all, { stream, error: words }]);
      }
    };
    await one('main', mainUrl);
    if (subUrl.trim()) await one('sub', subUrl);
    setTesting(false);
  };

  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    setTried(true);
    if (saving() || !isSound(checkDraft(props.draft))) return;
    setSaving(true);
    setError('');
    try {
      const { name, username, password } = props.draft;
      const added = await addCamera({
        id: '',
        name: name.trim(),
        enabled: true,
        username,
        password,
        streams: streamsOf(props.draft),
      });
      await reloadCameras();
      toast(t('add.added', { name: added.name }), 'ok');
      navigate(`/cameras/${added.id}`, { replace: true });
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setSaving(false);
    }
  };

  return (
    <form class="stack" onSubmit={save} novalidate>
      <section class="panel">
        <div class="panel-body stack">
          <Show when={props.profiles.length > 0}>
            <p class="soft">{t('add.profiles.lead')}</p>
            <div class="two">
              <ProfileSelect
                label={t('camera.stream.main')}
                profiles={props.profiles}
                value={props.draft.mainUrl}
                onChange={(url) => props.set('mainUrl', url)}
              />
              <ProfileSelect
                label={t('camera.stream.sub')}
                profiles={props.profiles}
                optional
                value={props.draft.subUrl}
                onChange={(url) => props.set('subUrl', url)}
              />
            </div>
          </Show>
          <CameraFields
            draft={props.draft}
            set={props.set}
            errors={errors()}
            keepsPassword={false}
          />
        </div>
      </section>
      <section class="panel">
        <div class="panel-head">
          <div class="grow">
            <h2>{t('add.test')}</h2>
            <p class="soft">{t('add.test.lead')}</p>
          </div>
          <button type="button" class="btn" disabled={testing()} onClick={() => void test()}>
            <Busy when={testing()}>
              {testing()
                ? t('add.testing')
                : tested().length > 0
                  ? t('add.test.again')
                  : t('add.test')}
            </Busy>
          </button>
        </div>
        <div class="panel-body" aria-live="polite">
          <Show when={testing()}>
            <div class="progress" />
          </Show>
          <div class="test-results">
            <For each={tested()}>{(one) => <TestResult tested={one} />}</For>
          </div>
        </div>
      </section>
      <Show when={error()}>
        <p class="form-error" role="alert">
          {error()}
        </p>
      </Show>
      <div class="dialog-foot">
        <button type="button" class="btn quiet" onClick={() => props.onBack()}>
          {t('app.back')}
        </button>
        <button
          type="submit"
          class="btn"
          classList={{ primary: works() }}
          disabled={saving() || testing()}
        >
          <Busy when={saving()}>{works() ? t('add.save') : t('add.save.anyway')}</Busy>
        </button>
      </div>
    </form>
  );
}

function TestResult(props: { tested: Tested }) {
  const video = () => props.tested.answer?.tracks.find(isVideo);
  const audio = () => props.tested.answer?.tracks.find((track) => !isVideo(track));
  const facts = () => {
    const track = video();
    const parts = track ? [codecLabel(track.codec), sizeOf(track)] : [];
    if (track?.frame_rate) parts.push(`${number(track.frame_rate)} fps`);
    const heard = audio();
    if (heard) parts.push(codecLabel(heard.codec));
    return parts.filter(Boolean).join(' · ');
  };
  return (
    <div class="test-result">
      <Show when={props.tested.answer?.snapshot_jpeg_base64}>
        {(data) => <img src={`data:image/jpeg;base64,${data()}`} alt="" />}
      </Show>
      <div>
        <span class={`badge ${props.tested.error ? 'bad' : 'ok'}`}>
          <Icon name={props.tested.error ? 'warn' : 'check'} />
          {t(`camera.stream.${props.tested.stream}`)}:{' '}
          {props.tested.error ? t('add.test.failed') : t('add.test.ok')}
        </span>
        <Show when={props.tested.error} fallback={<p class="num">{facts()}</p>}>
          <p class="error-text">{props.tested.error}</p>
        </Show>
        <Show when={props.tested.answer}>
          {(answer) => (
            <p class="faint num">
              {[answer().server, `${number(answer().elapsed_ms)} ms`].filter(Boolean).join(' · ')}
            </p>
          )}
        </Show>
      </div>
    </div>
  );
}

function ProfileSelect(props: {
  label: string;
  profiles: OnvifProfile[];
  value: string;
  optional?: boolean;
  onChange: (url: string) => void;
}) {
  const words = (profile: OnvifProfile) =>
    `${profile.name} · ${codecLabel(profile.codec.toLowerCase())} ${profile.width}×${profile.height}`;
  return (
    <label class="field">
      <span class="label">{props.label}</span>
      <select
        class="select"
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value)}
      >
        <Show when={props.optional}>
          <option value="">{t('add.profile.none')}</option>
        </Show>
        <For each={props.profiles}>
          {(profile) => <option value={profile.stream_uri}>{words(profile)}</option>}
        </For>
      </select>
    </label>
  );
}

/** The host of an address of any form. */
export function hostOf(address: string): string {
  const bare = address.replace(/^[a-z0-9]+:\/\//i, '').replace(/^[^/@]*@/, '');
  return bare.split(/[/:?]/)[0] ?? bare;
}

/** Credentials inside an address belong into the fields, never into a stored address. */
export function splitCredentials(url: string): {
  clean: string;
  username: string;
  password: string;
} {
  const found = /^([a-z0-9]+:\/\/)([^/@]*)@(.*)$/i.exec(url);
  if (!found) return { clean: url, username: '', password: '' };
  const [, scheme = '', credentials = '', rest = ''] = found;
  const colon = credentials.indexOf(':');
  const decode = (text: string) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  return {
    clean: scheme + rest,
    username: decode(colon < 0 ? credentials : credentials.slice(0, colon)),
    password: colon < 0 ? '' : decode(credentials.slice(colon + 1)),
  };
}
