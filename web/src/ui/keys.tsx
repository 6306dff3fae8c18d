/** A dialog that lists the keys of a screen. */

import { For } from 'solid-js';
import { t } from '../i18n';
import { Dialog } from './controls';

export function KeyList(props: {
  rows: readonly { keys: readonly string[]; text: string }[];
  onClose: () => void;
}) {
  return (
    <Dialog title={t('live.keys')} onClose={props.onClose}>
      <dl class="keys">
        <For each={props.rows}>
          {(row) => (
            <div>
              <dt>
                <For each={row.keys}>{(key) => <kbd>{key}</kbd>}</For>
              </dt>
              <dd>{row.text}</dd>
            </div>
          )}
        </For>
      </dl>
    </Dialog>
  );
}
