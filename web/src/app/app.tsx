import { createEffect, type JSX, Match, onCleanup, Switch } from 'solid-js';
import { t } from '../i18n';
import { LivePage } from '../pages/live';
import { NotFoundPage } from '../pages/not-found';
import { SignInPage } from '../pages/sign-in';
import { followCameras } from '../state/cameras';
import { phase, reachable } from '../state/session';
import { Toasts } from '../ui/toast';
import { match, path } from './router';
import { Shell } from './shell';

export function App() {
  return (
    <>
      <Switch>
        <Match when={phase() === 'starting'}>
          <Starting />
        </Match>
        <Match when={phase() === 'signed-out'}>
          <SignInPage />
        </Match>
        <Match when={phase() === 'signed-in'}>
          <SignedIn />
        </Match>
      </Switch>
      <Toasts />
    </>
  );
}

function SignedIn() {
  onCleanup(followCameras());
  return (
    <Shell>
      <Pages />
    </Shell>
  );
}

interface Route {
  pattern: string;
  page: (parts: Record<string, string>) => JSX.Element;
}

const routes: Route[] = [{ pattern: '/', page: () => <LivePage /> }];

function Pages() {
  createEffect(() => {
    path();
    document.querySelector('.page')?.scrollTo(0, 0);
  });
  return (
    <Switch fallback={<NotFoundPage />}>
      {routes.map((route) => (
        <Match when={match(route.pattern, path())} keyed>
          {(parts) => route.page(parts)}
        </Match>
      ))}
    </Switch>
  );
}

function Starting() {
  return (
    <div class="empty" role="status">
      <span class="spinner large" />
      <p>{reachable() ? t('app.loading') : t('banner.unreachable')}</p>
    </div>
  );
}
