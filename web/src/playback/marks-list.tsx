/** All that lies in the view as a list: for screen readers, and for finding by reading. */

import { For, Show } from 'solid-js';
import { clock, dateTime, span as saySpan, t } from '../i18n';
import { Dialog } from '../ui/controls';
import { Icon, type IconName } from '../ui/icon';
import type { Line } from './footage';
import type { View } from './timeline';
import { causeWord, kindWord } from './words';

interface Mark {
  icon: IconName;
  start: number;
  end: number;
  text: string;
}

const MOST = 300;

/** What lies in `view`, by its start: spans, gaps, events, holds. */
export function listMarks(line: Line, view: View, now: number): Mark[] {
  const marks: Mark[] = [
    ...line.spans.map(({ start, end }) => ({
      icon: 'history' as const,
      start,
      end,
      text: t('marks.recorded'),
    })),
    ...line.gaps.map((gap) => ({
      icon: 'warn' as const,
      start: gap.start,
      end: gap.end ?? now,
      text: [t('marks.gap', { cause: causeWord(gap.cause) }), gap.detail]
        .filter(Boolean)
        .join(': '),
    })),
    ...line.events.map((event) => ({
      icon: 'radar' as const,
      start: event.start,
      end: event.end ?? now,
      text: [kindWord(event.kind), event.label].filter(Boolean).join(': '),
    })),
    ...line.holds.map((hold) => ({
      icon: hold.kind,
      start: hold.start,
      end: hold.end,
      text: `${t(`hold.${hold.kind}`)}: ${hold.reason}`,
    })),
  ];
  return marks
    .filter((mark) => mark.end > view.start && mark.start < view.end)
    .sort((one, other) => one.start - other.start)
    .slice(0, MOST);
}

export function MarksList(props: {
  line: Line;
  view: View;
  name: string;
  onSeek: (ms: number) => void;
  onClose: () => void;
}) {
  const marks = () => listMarks(props.line, props.view, Date.now());
  return (
    <Dialog title={t('marks.title', { name: props.name })} onClose={props.onClose}>
      <p class="soft num">
        {dateTime(props.view.start)} – {dateTime(props.view.end)}
      </p>
      <Show when={marks().length > 0} fallback={<p class="soft">{t('marks.none')}</p>}>
        <ul class="marks">
          <For each={marks()}>
            {(mark) => (
              <li>
                <button type="button" onClick={() => props.onSeek(mark.start)}>
                  <Icon name={mark.icon} />
                  <span class="num">{clock(mark.start)}</span>
                  <span class="grow">{mark.text}</span>
                  <span class="faint num">{saySpan(mark.end - mark.start)}</span>
                </button>
              </li>
            )}
          </For>
        </ul>
      </Show>
    </Dialog>
  );
}
