/** The second step: the camera's own credentials, and what it says of itself over ONVIF. */

import { createSignal, Show } from 'solid-js';
import { askOnvif } from '../../api/cameras';
import type { OnvifProfile } from '../../api/types';
import { t } from '../../i18n';
import { Busy, Field, FormError } from '../../ui/controls';
import { explain } from '../../ui/toast';
import { hostOf } from './address';

export function SignStep(props: {
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
        <FormError text={error()} />
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
