import { createMemo, type JSX, Match, onCleanup, Show, Switch } from 'solid-js';
import { t } from '../i18n';
import { AuditPage } from '../pages/audit';
import { CameraPage } from '../pages/camera';
import { AddCameraPage } from '../pages/camera-add';
import { CamerasPage } from '../pages/cameras';
import { EvidencePage } from '../pages/evidence';
import { LivePage } from '../pages/live';
import { NotFoundPage } from '../pages/not-found';
import { PlaybackPage } from '../pages/playback';
import { SignInPage } from '../pages/sign-in';
import { StoragePage } from '../pages/storage';
import { SystemPage } from '../pages/system';
import { UsersPage } from '../pages/users';
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
  /** The page stays while the address moves among these. */
  patterns: string[];
  page: (part: (name: string) => string | undefined) => JSX.Element;
}

const routes: Route[] = [
  { patterns: ['/'], page: () => <LivePage /> },
  {
    patterns: ['/playback', '/playback/:id'],
    page: (part) => <PlaybackPage camera={part('id')} />,
  },
  { patterns: ['/cameras'], page: () => <CamerasPage /> },
  { patterns: ['/cameras/add'], page: () => <AddCameraPage /> },
  { patterns: ['/cameras/:id'], page: (part) => <CameraPage id={part('id') ?? ''} /> },
  { patterns: ['/evidence'], page: () => <EvidencePage part="exports" /> },
  { patterns: ['/evidence/holds'], page: () => <EvidencePage part="holds" /> },
  { patterns: ['/users'], page: () => <UsersPage /> },
  { patterns: ['/system'], page: () => <SystemPage /> },
  { patterns: ['/storage'], page: () => <StoragePage /> },
  { patterns: ['/audit'], page: () => <AuditPage /> },
];

function find(at: string): { route: Route; parts: Record<string, string> } | undefined {
  for (const route of routes) {
    for (const pattern of route.patterns) {
      const parts = match(pattern, at);
      if (parts) return { route, parts };
    }
  }
  return undefined;
}

function Pages() {
  const found = createMemo(() => find(path()));
  const route = createMemo(() => found()?.route);
  return (
    <Show when={route()} keyed fallback={<NotFoundPage />}>
      {(one) => one.page((name) => found()?.parts[name])}
    </Show>
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
