import { createSignal } from 'solid-js';
import { ApiError } from '../api/client';
import { changePassword } from '../api/users';
import { t } from '../i18n';
import { Dialog, Field, FormError, SaveFoot } from '../ui/controls';
import { explain, toast } from '../ui/toast';

/** Change one's own password. */
export function PasswordDialog(props: { onClose: () => void }) {
  const [current, setCurrent] = createSignal('');
  const [next, setNext] = createSignal('');
  const [again, setAgain] = createSignal('');
  const [tried, setTried] = createSignal(false);
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal('');

  const differs = () => next() !== again();

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setTried(true);
    if (busy() || !next() || differs() || !current()) return;
    setBusy(true);
    setError('');
    try {
      await changePassword(current(), next());
      toast(t('users.password.changed'), 'ok');
      props.onClose();
    } catch (failure) {
      const wrong = failure instanceof ApiError && [400, 401, 403, 422].includes(failure.status);
      setError(wrong ? failure.detail || t('users.password.wrong') : explain(failure));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog title={t('users.password.title')} onClose={props.onClose}>
      <form class="stack" onSubmit={submit} novalidate>
        <Field
          label={t('users.password.current')}
          type="password"
          autocomplete="current-password"
          value={current()}
          error={tried() && !current() ? t('form.required') : undefined}
          onInput={(event) => setCurrent(event.currentTarget.value)}
        />
        <Field
          label={t('users.password.new')}
          type="password"
          autocomplete="new-password"
          hint={t('users.password.hint')}
          value={next()}
          error={tried() && !next() ? t('form.required') : undefined}
          onInput={(event) => setNext(event.currentTarget.value)}
        />
        <Field
          label={t('users.password.repeat')}
          type="password"
          autocomplete="new-password"
          value={again()}
          error={tried() && differs() ? t('users.password.differs') : undefined}
          onInput={(event) => setAgain(event.currentTarget.value)}
        />
        <FormError text={error()} />
        <SaveFoot busy={busy()} onCancel={props.onClose} />
      </form>
    </Dialog>
  );
}
