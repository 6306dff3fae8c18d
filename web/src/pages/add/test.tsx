/** The last step: look the settings over, test them as the server will use them, and save. */

import { createSignal, For, Show } from 'solid-js';
import { addCamera, probe } from '../../api/cameras';
import { ApiError } from '../../api/client';
import type { OnvifProfile, ProbeAnswer } from '../../api/types';
import { navigate } from '../../app/router';
import { number, t } from '../../i18n';
import { codecLabel, isVideo, sizeOf } from '../../live/facts';
import { reloadCameras } from '../../state/cameras';
import { Busy, FormError } from '../../ui/controls';
import { Icon } from '../../ui/icon';
import { explain, toast } from '../../ui/toast';
import { CameraFields, checkDraft, type createDraft, isSound, streamsOf } from '../camera-form';

interface Tested {
  stream: 'main' | 'sub';
  answer?: ProbeAnswer;
  error?: string;
}

export function TestStep(props: {
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
      const { name, username, password, onvif } = props.draft;
      const added = await addCamera({
        id: '',
        name: name.trim(),
        enabled: true,
        username,
        password,
        streams: streamsOf(props.draft),
        onvif: onvif.trim(),
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
      <FormError text={error()} />
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
        <Show when={props.tested.answer?.note}>{(note) => <p class="error-text">{note()}</p>}</Show>
        <Show when={props.tested.answer}>
          {(answer) => (
            <p class="faint num">
              {[answer().server, `${number(answer().elapsed_ms)} ms`].filter(Boolean).join(' · ')}
            </p>
          )}
        </Show>
        <Show when={props.tested.answer?.tls_fingerprint}>
          {(print) => (
            <p class="faint fingerprint">
              {t('add.test.fingerprint')} <span class="mono">{print()}</span>
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
