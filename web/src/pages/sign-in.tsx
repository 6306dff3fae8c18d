import { createSignal, For, onMount, Show } from 'solid-js';
import { ApiError } from '../api/client';
import { type Language, language, languageNames, setLanguage, t } from '../i18n';
import { recall, remember } from '../state/prefs';
import { api, expired } from '../state/session';
import { Busy, Field } from '../ui/controls';
import { Icon, Logo } from '../ui/icon';
import { explain } from '../ui/toast';

export function SignInPage() {
  const [username, setUsername] = createSignal(recall('username') ?? '');
  const [password, setPassword] = createSignal('');
  const [visible, setVisible] = createSignal(false);
  const [caps, setCaps] = createSignal(false);
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal<string>();
  let form: HTMLFormElement | undefined;

  onMount(() => {
    form
      ?.querySelector<HTMLInputElement>(username() ? '[name=password]' : '[name=username]')
      ?.focus();
  });

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy()) return;
    if (!username().trim() || !password()) {
      setError(t('signIn.missing'));
      return;
    }
    setBusy(true);
    setError(undefined);
    try {
      await api.login(username().trim(), password());
      remember('username', username().trim());
    } catch (failure) {
      setError(wordsFor(failure));
      form?.querySelector<HTMLInputElement>('[name=password]')?.select();
    } finally {
      setBusy(false);
    }
  };

  const watchCaps = (event: KeyboardEvent) =>
    setCaps(event.getModifierState?.('CapsLock') ?? false);

  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <div class="brand">
          <Logo />
          <b>VMS</b>
        </div>
        <h1>{t('signIn.title')}</h1>
        <p class="soft">{expired() ? t('signIn.expired') : t('signIn.lead')}</p>
        <form
          ref={(element) => {
            form = element;
          }}
          onSubmit={submit}
          onKeyDown={watchCaps}
          onKeyUp={watchCaps}
          novalidate
        >
          <Field
            label={t('signIn.username')}
            name="username"
            autocomplete="username"
            autocapitalize="none"
            value={username()}
            onInput={(event) => setUsername(event.currentTarget.value)}
          />
          <div class="field">
            <label for="password">{t('signIn.password')}</label>
            <div class="input-group">
              <input
                id="password"
                class="input"
                name="password"
                type={visible() ? 'text' : 'password'}
                autocomplete="current-password"
                aria-describedby="sign-in-note"
                aria-invalid={error() ? 'true' : undefined}
                value={password()}
                onInput={(event) => setPassword(event.currentTarget.value)}
              />
              <button
                type="button"
                class="btn quiet icon"
                aria-label={visible() ? t('signIn.hide') : t('signIn.show')}
                aria-pressed={visible()}
                onClick={() => setVisible(!visible())}
              >
                <Icon name={visible() ? 'eyeOff' : 'eye'} />
              </button>
            </div>
          </div>
          <Note error={error()} caps={caps()} />
          <button type="submit" class="btn primary wide" disabled={busy()}>
            <Busy when={busy()}>{busy() ? t('signIn.busy') : t('signIn.submit')}</Busy>
          </button>
        </form>
        <div class="sign-in-foot">
          <p>{t('signIn.first')}</p>
          <LanguageSwitch />
        </div>
      </div>
    </main>
  );
}

function Note(props: { error: string | undefined; caps: boolean }) {
  return (
    <p
      id="sign-in-note"
      class="sign-in-note"
      classList={{ bad: props.error !== undefined, warn: props.error === undefined && props.caps }}
      role="alert"
    >
      <Show when={props.error ?? (props.caps ? t('signIn.capsLock') : undefined)}>
        {(text) => (
          <>
            <Icon name="warn" />
            <span>{text()}</span>
          </>
        )}
      </Show>
    </p>
  );
}

export function LanguageSwitch() {
  return (
    // biome-ignore lint/a11y/useSemanticElements: two buttons need no fieldset
    <div class="lang-switch" role="group" aria-label={t('app.language')}>
      <For each={Object.entries(languageNames) as [Language, string][]}>
        {([code, name]) => (
          <button
            type="button"
            lang={code}
            aria-pressed={language() === code}
            onClick={() => setLanguage(code)}
          >
            {name}
          </button>
        )}
      </For>
    </div>
  );
}

function wordsFor(failure: unknown): string {
  if (failure instanceof ApiError) {
    if (failure.status === 401) return t('signIn.wrong');
    if (failure.status === 429) return t('signIn.tooMany');
  }
  return explain(failure);
}
