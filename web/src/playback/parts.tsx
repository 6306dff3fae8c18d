/** Small parts of the playback page. */

import { For, Show } from 'solid-js';
import { t } from '../i18n';
import { cameraList } from '../state/cameras';
import { Icon } from '../ui/icon';
import { KeyList } from '../ui/keys';
import { MOST_CAMERAS } from './controller';

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

export function AddCamera(props: { cameras: string[]; onAdd: (id: string) => void }) {
  const others = () => cameraList().filter((one) => !props.cameras.includes(one.id));
  return (
    <Show when={others().length > 0 && props.cameras.length < MOST_CAMERAS}>
      <select
        class="select add-row"
        aria-label={t('playback.addCamera')}
        value=""
        onChange={(event) => {
          const id = event.currentTarget.value;
          event.currentTarget.value = '';
          if (id) props.onAdd(id);
        }}
      >
        <option value="">{t('playback.addCamera')}</option>
        <For each={others()}>{(one) => <option value={one.id}>{one.name}</option>}</For>
      </select>
    </Show>
  );
}

export function KeysHelp(props: { onClose: () => void }) {
  const rows = () => [
    { keys: ['Space', 'K'], text: `${t('playback.play')} / ${t('playback.pause')}` },
    { keys: ['←', '→'], text: `${t('playback.back10')} / ${t('playback.forward10')}` },
    { keys: ['J', 'L'], text: t('playback.keys.speed') },
    { keys: ['R'], text: t('playback.reverse') },
    { keys: [',', '.'], text: t('playback.keys.frame') },
    { keys: ['[', ']'], text: `${t('playback.previousSpan')} / ${t('playback.nextSpan')}` },
    { keys: ['+', '-', '0'], text: t('playback.keys.zoom') },
    { keys: ['I', 'O'], text: t('playback.keys.mark') },
    { keys: ['E'], text: t('marks.open') },
    { keys: ['T'], text: t('playback.typed') },
    { keys: ['G'], text: t('playback.skip') },
    { keys: ['M'], text: t('playback.unmute') },
  ];
  return <KeyList rows={rows()} onClose={props.onClose} />;
}
