/** Where recordings lie, how long they are kept, and what was missed. */

import { For, Show } from 'solid-js';
import { getStorage, type StorageAlarm, type StorageVolume } from '../api/storage';
import { bytes, dateTime, t } from '../i18n';
import { cameraById } from '../state/cameras';
import { createPolled } from '../state/polled';
import { isAdministrator } from '../state/session';
import { CameraTable } from '../storage/cameras';
import { CoveragePanel } from '../storage/coverage';
import { RetentionPanel } from '../storage/retention';
import { Empty, Loading } from '../ui/controls';
import { Icon } from '../ui/icon';
import { Panel } from '../ui/panel';
import { explain } from '../ui/toast';
import { SystemTabs } from './system';

export function StoragePage() {
  const { info, known, refetch } = createPolled(getStorage);
  return (
    <div class="page">
      <div class="page-inner wide">
        <header class="page-head">
          <h1 class="grow">{t('storage.title')}</h1>
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
              <Empty icon="disk" title={explain(info.error)} lead="" />
            </Show>
          }
        >
          {(storage) => (
            <div class="stack">
              <Alarms alarms={storage().alarms} />
              <div class="card-grid">
                <For
                  each={storage().volumes}
                  fallback={<p class="soft">{t('system.storage.none')}</p>}
                >
                  {(volume) => <VolumePanel volume={volume} />}
                </For>
              </div>
              <CameraTable cameras={storage().cameras} />
              <CoveragePanel />
              <Show when={isAdministrator()}>
                <RetentionPanel />
              </Show>
            </div>
          )}
        </Show>
      </div>
    </div>
  );
}

function Alarms(props: { alarms: StorageAlarm[] }) {
  return (
    <Show when={props.alarms.length > 0}>
      <ul class="alarm-list" aria-label={t('storage.alarms')}>
        <For each={props.alarms}>
          {(alarm) => (
            <li role="alert">
              <Icon name="warn" />
              <span class="grow">
                {subjectWord(alarm.subject)}
                {alarm.text}
              </span>
              <span class="faint num">{dateTime(alarm.since)}</span>
            </li>
          )}
        </For>
      </ul>
    </Show>
  );
}

/** Alarms are about a camera, a volume, or the storage as a whole. */
const subjectWord = (subject: string) => {
  const words = cameraById(subject)?.name ?? subject;
  return words && words !== 'storage' ? <strong>{words}: </strong> : null;
};

function VolumePanel(props: { volume: StorageVolume }) {
  const used = () => Math.max(0, props.volume.total - props.volume.free);
  const well = () => props.volume.state === 'ok';
  return (
    <Panel title={props.volume.name}>
      <div class="volume" data-volume={props.volume.name} data-state={props.volume.state}>
        <div class="row">
          <span class={`dot ${well() ? 'ok' : 'bad'}`} />
          <strong>{t(`storage.volume.${props.volume.state}`)}</strong>
          <span class="grow" />
          <span class="badge">{tierWord(props.volume.tier)}</span>
        </div>
        <span class="mono soft">{props.volume.path}</span>
        <Show when={props.volume.total > 0}>
          <meter
            min="0"
            max={props.volume.total || 1}
            high={Math.max(0, props.volume.total - props.volume.floor * 1.5)}
            value={used()}
            aria-label={props.volume.name}
          />
          <div class="row soft num">
            <span class="grow">
              {t('system.storage.used', { used: bytes(used()), total: bytes(props.volume.total) })}
            </span>
            <span>{t('system.storage.free', { free: bytes(props.volume.free) })}</span>
          </div>
          <span class="faint num">
            {t('storage.volume.ours', {
              used: bytes(props.volume.used),
              floor: bytes(props.volume.floor),
            })}
          </span>
        </Show>
        <Show when={props.volume.problem}>
          <p class="error-text" role="alert">
            {props.volume.problem}
          </p>
        </Show>
      </div>
    </Panel>
  );
}

const tierWord = (tier: string): string =>
  tier === 'fast' || tier === 'archive' ? t(`storage.tier.${tier}`) : tier;
