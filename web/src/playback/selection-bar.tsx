/** What can be done with the chosen span: export it, lock it, bookmark it. */

import { createSignal, Show } from 'solid-js';
import type { HoldKind } from '../api/timeline';
import { ExportDialog } from '../evidence/export-dialog';
import { HoldDialog } from '../evidence/hold-dialog';
import { clock, day as sayDay, span as saySpan, t } from '../i18n';
import { mayOperate } from '../state/session';
import { Icon } from '../ui/icon';
import type { Playback } from './controller';
import { dateKey } from './timeline';

export function SelectionBar(props: { play: Playback }) {
  const { play } = props;
  const [exporting, setExporting] = createSignal(false);
  const [holding, setHolding] = createSignal<HoldKind>();
  const span = () => play.selection.span();
  const words = () => {
    const found = span();
    if (!found) return '';
    const sameDay = dateKey(found.start) === dateKey(found.end);
    const end = sameDay ? clock(found.end) : `${sayDay(found.end, 'short')} ${clock(found.end)}`;
    return `${sayDay(found.start, 'short')} ${clock(found.start)} – ${end}`;
  };
  return (
    <Show when={span()}>
      {(chosen) => (
        <section class="selection-bar" aria-label={t('selection.title')}>
          <span class="num">{words()}</span>
          <span class="faint num">{saySpan(chosen().end - chosen().start)}</span>
          <span class="grow" />
          <Show when={mayOperate()}>
            <button type="button" class="btn small primary" onClick={() => setExporting(true)}>
              <Icon name="download" />
              {t('selection.export')}
            </button>
            <button type="button" class="btn small" onClick={() => setHolding('lock')}>
              <Icon name="lock" />
              {t('selection.lock')}
            </button>
            <button type="button" class="btn small" onClick={() => setHolding('bookmark')}>
              <Icon name="bookmark" />
              {t('selection.bookmark')}
            </button>
          </Show>
          <button
            type="button"
            class="btn small quiet icon"
            aria-label={t('selection.clear')}
            title={t('selection.clear')}
            onClick={() => play.selection.clear()}
          >
            <Icon name="close" />
          </button>
          <Show when={exporting()}>
            <ExportDialog
              span={chosen()}
              cameras={play.cameras()}
              onClose={() => setExporting(false)}
            />
          </Show>
          <Show when={holding()}>
            {(kind) => (
              <HoldDialog
                kind={kind()}
                span={chosen()}
                cameras={play.cameras()}
                onClose={() => setHolding(undefined)}
                onDone={() => play.footage.reload()}
              />
            )}
          </Show>
        </section>
      )}
    </Show>
  );
}
