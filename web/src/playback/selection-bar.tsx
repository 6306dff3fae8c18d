/** What can be done with the chosen span: export it, lock it, bookmark it. */

import { createSignal, Show } from 'solid-js';
import type { HoldKind } from '../api/timeline';
import { ExportDialog } from '../evidence/export-dialog';
import { HoldDialog } from '../evidence/hold-dialog';
import { clock, day as sayDay, span as saySpan, t } from '../i18n';
import { mayOperate } from '../state/session';
import { Icon } from '../ui/icon';
import type { Playback } from './controller';
import { dateKey, type Span } from './timeline';

export function SelectionBar(props: { play: Playback; span: Span }) {
  const { play } = props;
  const [exporting, setExporting] = createSignal(false);
  const [holding, setHolding] = createSignal<HoldKind>();
  const words = () => {
    const { start, end } = props.span;
    const sameDay = dateKey(start) === dateKey(end);
    const last = sameDay ? clock(end) : `${sayDay(end, 'short')} ${clock(end)}`;
    return `${sayDay(start, 'short')} ${clock(start)} – ${last}`;
  };
  return (
    <section class="selection-bar" aria-label={t('selection.title')}>
      <span class="num">{words()}</span>
      <span class="faint num">{saySpan(props.span.end - props.span.start)}</span>
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
      <Show when={exporting()}>
        <ExportDialog
          span={props.span}
          cameras={play.cameras()}
          onClose={() => setExporting(false)}
        />
      </Show>
      <Show when={holding()}>
        {(kind) => (
          <HoldDialog
            kind={kind()}
            span={props.span}
            cameras={play.cameras()}
            onClose={() => setHolding(undefined)}
            onDone={() => play.footage.reload()}
          />
        )}
      </Show>
    </section>
  );
}
