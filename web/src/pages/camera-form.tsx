/** The fields of a camera, used to edit one and to add one by hand. */

import { Show } from 'solid-js';
import { createStore, type SetStoreFunction } from 'solid-js/store';
import type { Camera, StreamConfig, StreamInput, TransportChoice } from '../api/types';
import { t } from '../i18n';
import { Field, Segmented, Switch } from '../ui/controls';

export interface CameraDraft {
  name: string;
  username: string;
  password: string;
  mainUrl: string;
  subUrl: string;
  transport: TransportChoice;
  record: boolean;
  recordSub: boolean;
  /** Host or address of the ONVIF device service, for the camera's own events. */
  onvif: string;
}

export const emptyDraft: CameraDraft = {
  name: '',
  username: '',
  password: '',
  mainUrl: '',
  subUrl: '',
  transport: 'tcp',
  record: true,
  recordSub: false,
  onvif: '',
};

export function draftOf(camera: Camera): CameraDraft {
  const main = camera.streams[0];
  const sub = camera.streams[1];
  return {
    name: camera.name,
    username: camera.username,
    password: '',
    mainUrl: main?.url ?? '',
    subUrl: sub?.url ?? '',
    transport: main?.transport ?? 'tcp',
    record: (main?.recording ?? 'off') !== 'off',
    recordSub: (sub?.recording ?? 'off') !== 'off',
    onvif: camera.onvif ?? '',
  };
}

/** The streams a draft describes; what the form does not show is kept from `before`. */
export function streamsOf(draft: CameraDraft, before: readonly StreamConfig[] = []): StreamInput[] {
  const make = (index: number, name: string, url: string, record: boolean): StreamInput => {
    const old = before[index];
    // "Recorded" says nothing of when: that is set elsewhere, and stays.
    const mode = old && old.recording !== 'off' ? old.recording : 'continuous';
    return {
      name,
      ...old,
      url: url.trim(),
      transport: draft.transport,
      recording: record ? mode : 'off',
    };
  };
  const streams = [make(0, 'main', draft.mainUrl, draft.record)];
  if (draft.subUrl.trim()) streams.push(make(1, 'sub', draft.subUrl, draft.recordSub));
  return [...streams, ...before.slice(2)];
}

export const validUrl = (url: string): boolean =>
  /^(rtsps?|https?|rtmps?|file|v4l2):\/\/\S+$/i.test(url.trim());

export interface DraftErrors {
  name?: string | undefined;
  mainUrl?: string | undefined;
  subUrl?: string | undefined;
}

export function checkDraft(draft: CameraDraft): DraftErrors {
  return {
    name: draft.name.trim() ? undefined : t('form.required'),
    mainUrl: validUrl(draft.mainUrl) ? undefined : t('form.url.bad'),
    subUrl: !draft.subUrl.trim() || validUrl(draft.subUrl) ? undefined : t('form.url.bad'),
  };
}

export const isSound = (errors: DraftErrors): boolean =>
  !errors.name && !errors.mainUrl && !errors.subUrl;

export const createDraft = (from: CameraDraft) => createStore<CameraDraft>({ ...from });

export function CameraFields(props: {
  draft: CameraDraft;
  set: SetStoreFunction<CameraDraft>;
  errors: DraftErrors;
  keepsPassword: boolean;
  /** Leave name and credentials to the caller. */
  streamsOnly?: boolean;
}) {
  return (
    <>
      <Show when={!props.streamsOnly}>
        <Field
          label={t('form.name')}
          hint={t('form.name.hint')}
          error={props.errors.name}
          maxLength={80}
          value={props.draft.name}
          onInput={(event) => props.set('name', event.currentTarget.value)}
        />
        <div class="two">
          <Field
            label={t('form.username')}
            autocapitalize="none"
            value={props.draft.username}
            onInput={(event) => props.set('username', event.currentTarget.value)}
          />
          <Field
            label={t('form.password')}
            type="password"
            autocomplete="new-password"
            hint={props.keepsPassword ? t('form.password.keep') : undefined}
            value={props.draft.password}
            onInput={(event) => props.set('password', event.currentTarget.value)}
          />
        </div>
      </Show>
      <Field
        label={t('form.mainUrl')}
        class="mono"
        inputmode="url"
        error={props.errors.mainUrl}
        value={props.draft.mainUrl}
        onInput={(event) => props.set('mainUrl', event.currentTarget.value)}
      />
      <Field
        label={t('form.subUrl')}
        class="mono"
        inputmode="url"
        hint={t('form.subUrl.hint')}
        error={props.errors.subUrl}
        value={props.draft.subUrl}
        onInput={(event) => props.set('subUrl', event.currentTarget.value)}
      />
      <div class="field">
        <span class="label">{t('form.transport')}</span>
        <div>
          <Segmented
            label={t('form.transport')}
            value={props.draft.transport}
            options={[
              { value: 'tcp', label: t('form.transport.tcp') },
              { value: 'udp', label: t('form.transport.udp') },
            ]}
            onChange={(transport) => props.set('transport', transport)}
          />
        </div>
      </div>
      <Field
        label={t('form.onvif')}
        class="mono"
        inputmode="url"
        hint={t('form.onvif.hint')}
        value={props.draft.onvif}
        onInput={(event) => props.set('onvif', event.currentTarget.value)}
      />
      <div class="row switches">
        <Switch
          label={t('form.record')}
          checked={props.draft.record}
          onChange={(on) => props.set('record', on)}
        />
        <Show when={props.draft.subUrl.trim()}>
          <Switch
            label={t('form.record.sub')}
            checked={props.draft.recordSub}
            onChange={(on) => props.set('recordSub', on)}
          />
        </Show>
      </div>
    </>
  );
}
