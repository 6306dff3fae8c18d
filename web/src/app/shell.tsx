/** The frame around every screen: the way about, the account, and the word that the server is gone. */

import { createEffect, createSignal, For, type JSX, onCleanup, Show } from 'solid-js';
import type { Role } from '../api/types';
import { type MessageKey, t } from '../i18n';
import { PasswordDialog } from '../pages/password';
import { LanguageSwitch } from '../pages/sign-in';
import { reachable, signOut, user } from '../state/session';
import { onOutside } from '../ui/controls';
import { Icon, type IconName, Logo } from '../ui/icon';
import { toast } from '../ui/toast';
import { Link, path } from './router';

interface Place {
  href: string;
  icon: IconName;
  label: MessageKey;
  /** Who finds something there; the server decides in the end. */
  roles?: readonly Role[];
  /** Other addresses that belong to it. */
  also?: readonly string[];
}

const places: Place[] = [
  { href: '/', icon: 'grid', label: 'nav.live' },
  { href: '/playback', icon: 'history', label: 'nav.playback' },
  {
    href: '/evidence',
    icon: 'evidence',
    label: 'nav.evidence',
    roles: ['administrator', 'operator'],
  },
  { href: '/cameras', icon: 'camera', label: 'nav.cameras' },
  { href: '/users', icon: 'users', label: 'nav.users', roles: ['administrator'] },
  {
    href: '/system',
    icon: 'system',
    label: 'nav.system',
    roles: ['administrator', 'operator'],
    also: ['/storage', '/audit'],
  },
];

const isHere = (href: string): boolean =>
  href === '/' ? path() === '/' : path() === href || path().startsWith(`${href}/`);

export function Shell(props: { children: JSX.Element }) {
  return (
    <div class="shell">
      <a class="skip" href="#main">
        {t('app.skip')}
      </a>
      <nav class="rail" aria-label={t('nav.label')}>
        <div class="logo">
          <Logo />
        </div>
        <For
          each={places.filter(
            (place) => !place.roles || place.roles.includes(user()?.role ?? 'viewer'),
          )}
        >
          {(place) => (
            <Link
              class="rail-item"
              href={place.href}
              aria-current={[place.href, ...(place.also ?? [])].some(isHere) ? 'page' : undefined}
            >
              <Icon name={place.icon} />
              <span class="truncate">{t(place.label)}</span>
            </Link>
          )}
        </For>
        <Account />
      </nav>
      <main class="main" id="main" tabIndex={-1}>
        <Unreachable />
        {props.children}
      </main>
    </div>
  );
}

function Unreachable() {
  // Shown a moment late, so that one lost request does not flash a banner.
  const [shown, setShown] = createSignal(false);
  createEffect(() => {
    if (reachable()) {
      if (shown()) toast(t('banner.back'), 'ok');
      setShown(false);
      return;
    }
    const timer = setTimeout(() => setShown(true), 700);
    onCleanup(() => clearTimeout(timer));
  });
  return (
    <Show when={shown()}>
      <div class="banner" role="alert">
        <span class="spinner" />
        {t('banner.unreachable')}
      </div>
    </Show>
  );
}

function Account() {
  const [open, setOpen] = createSignal(false);
  const [changing, setChanging] = createSignal(false);
  let place: HTMLDivElement | undefined;
  onOutside(
    () => place,
    open,
    () => setOpen(false),
  );
  const initial = () => (user()?.username ?? '?').slice(0, 1).toUpperCase();
  return (
    <div
      class="account"
      ref={(element) => {
        place = element;
      }}
    >
      <button
        type="button"
        class="avatar"
        aria-label={t('nav.account')}
        aria-haspopup="menu"
        aria-expanded={open()}
        onClick={() => setOpen(!open())}
      >
        {initial()}
      </button>
      <Show when={open()}>
        <div class="menu">
          <div class="menu-head">
            <strong>{user()?.username}</strong>
            <div class="faint">{t(`role.${user()?.role ?? 'viewer'}`)}</div>
          </div>
          <LanguageSwitch />
          <hr />
          <button
            type="button"
            onClick={() => {
              setOpen(false);
              setChanging(true);
            }}
          >
            <Icon name="key" />
            {t('nav.password')}
          </button>
          <button type="button" onClick={() => void signOut().catch(() => undefined)}>
            <Icon name="signOut" />
            {t('nav.signOut')}
          </button>
        </div>
      </Show>
      <Show when={changing()}>
        <PasswordDialog onClose={() => setChanging(false)} />
      </Show>
    </div>
  );
}
