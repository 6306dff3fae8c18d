/** Who may sign in, as what, and which cameras they see. For administrators. */

import { createResource, createSignal, For, Show } from 'solid-js';
import type { Role, User, UserChange } from '../api/types';
import { addUser, changeUser, deleteUser, listUsers } from '../api/users';
import { t, tn } from '../i18n';
import { cameraList } from '../state/cameras';
import { isAdministrator, user as me } from '../state/session';
import {
  Confirm,
  Dialog,
  Empty,
  Field,
  FormError,
  Loading,
  SaveFoot,
  Switch,
} from '../ui/controls';
import { Icon } from '../ui/icon';
import { explain, toast, toastError } from '../ui/toast';

const ROLES: readonly Role[] = ['administrator', 'operator', 'viewer'];

export function UsersPage() {
  const [users, { refetch }] = createResource(isAdministrator, listUsers);
  const [editing, setEditing] = createSignal<User | 'new'>();
  const [deleting, setDeleting] = createSignal<User>();
  const [busy, setBusy] = createSignal(false);

  const remove = async (user: User) => {
    setBusy(true);
    try {
      await deleteUser(user.id);
      toast(t('users.deleted', { name: user.username }), 'ok');
      setDeleting(undefined);
      await refetch();
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <div class="page">
      <div class="page-inner narrow">
        <header class="page-head">
          <h1 class="grow">{t('users.title')}</h1>
          <Show when={isAdministrator()}>
            <button type="button" class="btn primary" onClick={() => setEditing('new')}>
              <Icon name="plus" />
              {t('users.add')}
            </button>
          </Show>
        </header>
        <Show
          when={isAdministrator()}
          fallback={<Empty icon="lock" title={t('users.forbidden')} lead="" />}
        >
          <Show
            when={!users.error}
            fallback={
              <Empty icon="offline" title={explain(users.error)} lead="">
                <button type="button" class="btn" onClick={() => void refetch()}>
                  {t('app.retry')}
                </button>
              </Empty>
            }
          >
            <Show when={users.latest} fallback={<Loading />}>
              {(list) => (
                <ul class="user-list panel">
                  <For each={list()}>
                    {(one) => (
                      <li>
                        <span class="avatar">{one.username.slice(0, 1).toUpperCase()}</span>
                        <div class="grow">
                          <strong class="truncate">{one.username}</strong>
                          <span class="soft">
                            {t(`role.${one.role}`)} · {accessWords(one)}
                          </span>
                        </div>
                        <Show when={!one.enabled}>
                          <span class="badge bad">{t('users.disabled')}</span>
                        </Show>
                        <Show when={one.id === me()?.id}>
                          <span class="badge accent">{t('users.you')}</span>
                        </Show>
                        <button
                          type="button"
                          class="btn quiet icon"
                          aria-label={t('users.edit', { name: one.username })}
                          title={t('app.edit')}
                          onClick={() => setEditing(one)}
                        >
                          <Icon name="pencil" />
                        </button>
                        <button
                          type="button"
                          class="btn quiet icon"
                          disabled={one.id === me()?.id}
                          aria-label={`${t('app.delete')}: ${one.username}`}
                          title={t('app.delete')}
                          onClick={() => setDeleting(one)}
                        >
                          <Icon name="trash" />
                        </button>
                      </li>
                    )}
                  </For>
                </ul>
              )}
            </Show>
          </Show>
        </Show>
      </div>
      <Show when={editing()} keyed>
        {(target) => (
          <UserDialog
            user={target === 'new' ? undefined : target}
            onSaved={() => void refetch()}
            onClose={() => setEditing(undefined)}
          />
        )}
      </Show>
      <Show when={deleting()}>
        {(target) => (
          <Confirm
            title={t('users.delete.title', { name: target().username })}
            lead={t('users.delete.lead')}
            action={t('app.delete')}
            busy={busy()}
            onYes={() => void remove(target())}
            onClose={() => setDeleting(undefined)}
          />
        )}
      </Show>
    </div>
  );
}

function accessWords(user: User): string {
  if (user.role === 'administrator') return t('users.access.admin');
  if (user.cameras.includes('*')) return t('users.access.all');
  if (user.cameras.length === 0) return t('users.access.none');
  return tn('users.access.n', user.cameras.length);
}

function UserDialog(props: { user: User | undefined; onSaved: () => void; onClose: () => void }) {
  const [name, setName] = createSignal(props.user?.username ?? '');
  const [password, setPassword] = createSignal('');
  const [role, setRole] = createSignal<Role>(props.user?.role ?? 'viewer');
  const [enabled, setEnabled] = createSignal(props.user?.enabled ?? true);
  const [all, setAll] = createSignal(props.user?.cameras.includes('*') ?? true);
  const [chosen, setChosen] = createSignal<string[]>(
    props.user?.cameras.filter((id) => id !== '*') ?? [],
  );
  const [tried, setTried] = createSignal(false);
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal('');
  const isMe = () => props.user?.id === me()?.id;
  const grants = () => (role() === 'administrator' ? [] : all() ? ['*'] : chosen());

  const send = (): Promise<User> => {
    if (!props.user) {
      return addUser({
        username: name().trim(),
        password: password(),
        role: role(),
        cameras: grants(),
      });
    }
    const change: UserChange = { username: name().trim(), cameras: grants() };
    if (!isMe()) {
      change.role = role();
      change.enabled = enabled();
    }
    if (password()) change.password = password();
    return changeUser(props.user.id, change);
  };

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setTried(true);
    if (busy() || !name().trim() || (!props.user && !password())) return;
    setBusy(true);
    setError('');
    try {
      await send();
      toast(t('users.saved', { name: name().trim() }), 'ok');
      props.onSaved();
      props.onClose();
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };

  const grant = (id: string, on: boolean) =>
    setChosen((list) => (on ? [...list, id] : list.filter((one) => one !== id)));

  return (
    <Dialog
      title={props.user ? t('users.edit', { name: props.user.username }) : t('users.add')}
      onClose={props.onClose}
    >
      <form class="stack" onSubmit={submit} novalidate>
        <Field
          label={t('users.name')}
          autocapitalize="none"
          value={name()}
          error={tried() && !name().trim() ? t('form.required') : undefined}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <Field
          label={props.user ? t('users.password.new') : t('users.password')}
          type="password"
          autocomplete="new-password"
          value={password()}
          hint={props.user ? t('users.password.new.hint') : t('users.password.hint')}
          error={tried() && !props.user && !password() ? t('form.required') : undefined}
          onInput={(event) => setPassword(event.currentTarget.value)}
        />
        <fieldset class="field" disabled={isMe()}>
          <legend class="label">{t('users.role')}</legend>
          <div class="role-list">
            <For each={ROLES}>
              {(one) => (
                <label class="role-card" classList={{ 'is-on': role() === one }}>
                  <input
                    type="radio"
                    name="role"
                    checked={role() === one}
                    onChange={() => setRole(one)}
                  />
                  <span>
                    <strong>{t(`role.${one}`)}</strong>
                    <span class="soft">{t(`role.${one}.lead`)}</span>
                  </span>
                </label>
              )}
            </For>
          </div>
        </fieldset>
        <Show when={role() !== 'administrator'}>
          <fieldset class="field">
            <legend class="label">{t('users.access')}</legend>
            <Switch label={t('users.access.all')} checked={all()} onChange={setAll} />
            <Show when={!all()}>
              <div class="grant-list">
                <For each={cameraList()} fallback={<p class="faint">{t('live.empty.title')}</p>}>
                  {(camera) => (
                    <label class="check">
                      <input
                        type="checkbox"
                        checked={chosen().includes(camera.id)}
                        onChange={(event) => grant(camera.id, event.currentTarget.checked)}
                      />
                      <span class="truncate">{camera.name}</span>
                    </label>
                  )}
                </For>
              </div>
            </Show>
          </fieldset>
        </Show>
        <Show when={props.user && !isMe()}>
          <Switch label={t('users.enabled')} checked={enabled()} onChange={setEnabled} />
        </Show>
        <FormError text={error()} />
        <SaveFoot busy={busy()} onCancel={props.onClose} />
      </form>
    </Dialog>
  );
}
