/** The parts around the picture and the timeline of the playback page. */

import { For, Show } from 'solid-js';
import { Link } from '../app/router';
import { clock, t } from '../i18n';
import { cameraById, cameraList } from '../state/cameras';
import { Icon } from '../ui/icon';
import { KeyList } from '../ui/keys';
import { MOST_ROWS } from './controller';
import type { EngineState } from './engine';

export function ToolButton(props: {
  icon: Parameters<typeof Icon>[0]['name'];
  label: string;
  keys: string;
  small?: boolean;
  onClick: () => void;
}) {
  return (
    <button
      type="button"
      class={`btn quiet icon ${props.small ? 'small' : ''}`}
      aria-label={props.label}
      title={`${props.label} (${props.keys})`}
      onClick={() => props.onClick()}
    >
      <Icon name={props.icon} />
    </button>
  );
}

export function RowPicker(props: {
  rows: string[];
  current: string;
  onChange: (rows: string[]) => void;
}) {
  const others = () => cameraList().filter((one) => !props.rows.includes(one.id));
  return (
    <div class="row-picker">
      <For each={props.rows.filter((id) => id !== props.current)}>
        {(id) => (
          <button
            type="button"
            class="chip-btn"
            title={t('playback.removeCamera', { name: cameraById(id)?.name ?? id })}
            onClick={() => props.onChange(props.rows.filter((row) => row !== id))}
          >
            {cameraById(id)?.name ?? id}
            <Icon name="close" />
          </button>
        )}
      </For>
      <Show when={others().length > 0 && props.rows.length < MOST_ROWS}>
        <select
          class="select add-row"
          aria-label={t('playback.addCamera')}
          value=""
          onChange={(event) => {
            const id = event.currentTarget.value;
            event.currentTarget.value = '';
            if (id) props.onChange([...props.rows, id]);
          }}
        >
          <option value="">{t('playback.addCamera')}</option>
          <For each={others()}>{(one) => <option value={one.id}>{one.name}</option>}</For>
        </select>
      </Show>
    </div>
  );
}

export function StageWords(props: {
  state: EngineState | 'no-day';
  detail: string;
  head: number | undefined;
  camera: string;
}) {
  const words = (): { title: string; lead: string; spin?: boolean } | undefined => {
    switch (props.state) {
      case 'no-day':
        return { title: t('playback.noDay'), lead: t('playback.noDay.hint') };
      case 'loading':
        return { title: '', lead: '', spin: true };
      case 'empty':
        return { title: t('playback.none', { time: clock(props.head ?? 0) }), lead: '' };
      case 'ended':
        return { title: t('playback.end'), lead: t('playback.end.live') };
      case 'unsupported':
        return {
          title: t('playback.unsupported', { codec: props.detail }),
          lead: t('playback.unsupported.hint'),
        };
      case 'failed':
        return { title: t('error.unexpected', { detail: props.detail }), lead: '' };
      default:
        return undefined;
    }
  };
  return (
    <Show when={words()}>
      {(said) => (
        <div
          class="tile-overlay"
          classList={{ 'over-picture': !said().spin }}
          role={said().spin ? 'status' : 'alert'}
        >
          <Show when={said().spin}>
            <span class="spinner large" />
            <span class="sr-only">{t('playback.loading')}</span>
          </Show>
          <strong>{said().title}</strong>
          <span class="tile-reason">{said().lead}</span>
          <Show when={props.state === 'ended'}>
            <Link class="btn primary" href={`/cameras/${props.camera}`}>
              <Icon name="live" />
              {t('playback.goLive')}
            </Link>
          </Show>
        </div>
      )}
    </Show>
  );
}

export function KeysHelp(props: { onClose: () => void }) {
  const rows = () => [
    { keys: ['Space', 'K'], text: `${t('playback.play')} / ${t('playback.pause')}` },
    { keys: ['←', '→'], text: `${t('playback.back10')} / ${t('playback.forward10')}` },
    { keys: ['J', 'L'], text: t('playback.keys.speed') },
    { keys: [',', '.'], text: t('playback.keys.frame') },
    { keys: ['[', ']'], text: `${t('playback.previousSpan')} / ${t('playback.nextSpan')}` },
    { keys: ['+', '-', '0'], text: t('playback.keys.zoom') },
    { keys: ['M'], text: t('playback.unmute') },
  ];
  return <KeyList rows={rows()} onClose={props.onClose} />;
}
