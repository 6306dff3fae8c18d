/** What was taken out and what is kept: exports, locks and bookmarks. */

import { Show } from 'solid-js';
import { Exports } from '../evidence/exports';
import { Holds } from '../evidence/holds';
import { t } from '../i18n';
import { mayOperate } from '../state/session';
import { Empty } from '../ui/controls';
import { Tabs } from '../ui/tabs';

export function EvidencePage(props: { part: 'exports' | 'holds' }) {
  return (
    <div class="page">
      <div class="page-inner">
        <header class="page-head">
          <h1 class="grow">{t('evidence.title')}</h1>
        </header>
        <Show
          when={mayOperate()}
          fallback={<Empty icon="lock" title={t('error.forbidden')} lead="" />}
        >
          <Tabs
            tabs={[
              { href: '/evidence', label: t('evidence.exports') },
              { href: '/evidence/holds', label: t('evidence.holds') },
            ]}
          />
          <Show when={props.part === 'exports'} fallback={<Holds />}>
            <Exports />
          </Show>
        </Show>
      </div>
    </div>
  );
}
