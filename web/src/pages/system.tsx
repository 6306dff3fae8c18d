/** How the system is: version, health, storage, and what this browser can play. */

import { For, type JSX, Show } from 'solid-js';
import { getSystem } from '../api/system';
import type { SystemInfo } from '../api/types';
import { bits, bytes, dateTime, number, span, t } from '../i18n';
import { codecLabel } from '../live/facts';
import { capabilities } from '../live/ladder';
import { cameraList, stateOf } from '../state/cameras';
import { createPolled } from '../state/polled';
import { isAdministrator } from '../state/session';
import { Empty, Loading } from '../ui/controls';
import { Icon } from '../ui/icon';
import { Panel } from '../ui/panel';
import { Tabs } from '../ui/tabs';
import { explain } from '../ui/toast';

export function SystemPage() {
  const { info, known, refetch } = createPolled(getSystem);
  return (
    <div class="page">
      <div class="page-inner">
        <header class="page-head">
          <h1 class="grow">{t('system.title')}</h1>
          <button type="button" class="btn" onClick={() => void refetch()}>
            <Icon name="refresh" />
            {t('system.refresh')}
          </button>
        </header>
        <SystemTabs />
        <Show
          when={known()}
          fallback={
            <Show when={info.error} fallback={<Loading />}>
              <Empty icon="lock" title={explain(info.error)} lead="" />
              <BrowserPanel />
            </Show>
          }
        >
          {(system) => <Panels system={system()} />}
        </Show>
      </div>
    </div>
  );
}

export function SystemTabs() {
  const tabs = () => [
    { href: '/system', label: t('system.title') },
    { href: '/storage', label: t('storage.title') },
    ...(isAdministrator() ? [{ href: '/audit', label: t('audit.title') }] : []),
  ];
  return <Tabs tabs={tabs()} />;
}

function Panels(props: { system: SystemInfo }) {
  const well = () =>
    props.system.checks.every((check) => check.ok) &&
    props.system.volumes.every((volume) => volume.ok);
  const incoming = () =>
    cameraList()
      .flatMap((camera) => camera.streams.map((stream) => stateOf(camera.id, stream.name)))
      .reduce((sum, state) => sum + (state?.bitrate ?? 0), 0);
  return (
    <div class="card-grid">
      <div class="stack">
        <Panel title={t('system.health')}>
          <p class="health">
            <span class={`dot ${well() ? 'ok' : 'bad'}`} />
            <strong>{well() ? t('system.health.ok') : t('system.health.bad')}</strong>
          </p>
          <ul class="checks">
            <For each={props.system.checks}>
              {(check) => (
                <li>
                  <span class={`dot ${check.ok ? 'ok' : 'bad'}`} />
                  <span>{checkName(check.name)}</span>
                  <span class="grow" />
                  <span class={check.ok ? 'faint num' : 'error-text'}>
                    {check.ok ? `${number(check.elapsed_ms, 1)} ms` : check.detail}
                  </span>
                </li>
              )}
            </For>
          </ul>
        </Panel>
        <BrowserPanel />
      </div>
      <Panel title={t('system.process')}>
        <dl class="facts single">
          <Fact label={t('system.version')}>{props.system.version}</Fact>
          <Fact label={t('system.node')}>{props.system.node}</Fact>
          <Fact label={t('system.uptime')}>{span(props.system.uptime_s * 1000)}</Fact>
          <Fact label={t('system.cameras')}>
            {t('system.cameras.online', {
              online: props.system.cameras.online,
              total: props.system.cameras.total,
            })}
          </Fact>
          <Fact label={t('system.throughput')}>{bits(incoming())}</Fact>
        </dl>
        <p class="label">{t('system.roles')}</p>
        <div class="row">
          <For each={props.system.roles}>{(role) => <span class="badge">{role}</span>}</For>
        </div>
      </Panel>
      <Panel title={t('system.storage')}>
        <For each={props.system.volumes} fallback={<p class="soft">{t('system.storage.none')}</p>}>
          {(volume) => {
            const used = () => volume.total - volume.free;
            return (
              <div class="volume">
                <div class="row">
                  <span class={`dot ${volume.ok ? 'ok' : 'bad'}`} />
                  <span class="mono truncate grow">{volume.path}</span>
                </div>
                <meter
                  min="0"
                  max={volume.total || 1}
                  high={volume.total * 0.9}
                  value={used()}
                  aria-label={volume.path}
                />
                <div class="row soft num">
                  <span class="grow">
                    {t('system.storage.used', { used: bytes(used()), total: bytes(volume.total) })}
                  </span>
                  <span>{t('system.storage.free', { free: bytes(volume.free) })}</span>
                </div>
                <Show when={volume.detail}>
                  <p class="error-text">{volume.detail}</p>
                </Show>
              </div>
            );
          }}
        </For>
        <dl class="facts single">
          <Fact label={t('system.recordings.size')}>{bytes(props.system.recordings.bytes)}</Fact>
          <Fact label={t('system.recordings.files')}>
            {number(props.system.recordings.segments)}
          </Fact>
          <Fact label={t('system.recordings.oldest')}>{when(props.system.recordings.oldest)}</Fact>
          <Fact label={t('system.recordings.newest')}>{when(props.system.recordings.newest)}</Fact>
        </dl>
      </Panel>
    </div>
  );
}

/** The server's word for what it looked at, in the reader's language. */
function checkName(name: string): string {
  const path = /^volume (.+)$/.exec(name)?.[1];
  if (path) return t('system.check.volume', { path });
  return name === 'catalog' || name === 'bus' || name === 'recording'
    ? t(`system.check.${name}`)
    : name;
}

const when = (ms: number | null): string => (ms === null ? '–' : dateTime(ms));

function BrowserPanel() {
  const can = capabilities();
  const words = (codecs: ReadonlySet<string>) => [...codecs].map(codecLabel).join(', ') || '–';
  return (
    <Panel title={t('system.browser')}>
      <dl class="facts single">
        <Fact label={t('system.browser.webrtc')}>{words(can.webrtc)}</Fact>
        <Fact label={t('system.browser.mse')}>{words(can.mse)}</Fact>
      </dl>
    </Panel>
  );
}

function Fact(props: { label: string; children: JSX.Element }) {
  return (
    <div>
      <dt>{props.label}</dt>
      <dd class="num">{props.children}</dd>
    </div>
  );
}
