/** Short messages that come and go. Errors stay longer, and say what to do. */

import { createSignal, For } from 'solid-js';
import { ApiError } from '../api/client';
import { type MessageKey, t } from '../i18n';
import { Icon } from './icon';

type Tone = 'ok' | 'bad' | 'info';

interface Toast {
  id: number;
  tone: Tone;
  text: string;
}

const MOST = 4;
const [toasts, setToasts] = createSignal<Toast[]>([]);
let next = 1;

export function toast(text: string, tone: Tone = 'info'): void {
  const id = next++;
  const others = toasts().filter((other) => other.text !== text);
  setToasts([...others, { id, tone, text }].slice(-MOST));
  setTimeout(() => dismiss(id), tone === 'bad' ? 9000 : 4500);
}

export function toastError(error: unknown): void {
  toast(explain(error), 'bad');
}

const byStatus: Record<number, MessageKey> = {
  403: 'error.forbidden',
  404: 'error.notFound',
  429: 'error.tooMany',
};

/** A failure in words for people: what happened and what to do. */
export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) {
    return t('error.unexpected', { detail: error instanceof Error ? error.message : '' });
  }
  if (error.status === 0) {
    return t(error.detail === 'timeout' ? 'error.timeout' : 'error.unreachable');
  }
  const known = byStatus[error.status];
  if (known) return t(known);
  if (error.detail) {
    const fields = Array.isArray(error.problem.errors);
    return fields ? t('error.invalid', { detail: error.detail }) : error.detail;
  }
  if (error.status === 409) return t('error.conflict');
  return t('error.server');
}

const dismiss = (id: number) => setToasts((all) => all.filter((one) => one.id !== id));

export function Toasts() {
  return (
    <section class="toasts" aria-live="polite">
      <For each={toasts()}>
        {(one) => (
          <div class={`toast ${one.tone}`} role={one.tone === 'bad' ? 'alert' : 'status'}>
            <p>{one.text}</p>
            <button
              type="button"
              class="btn quiet small icon"
              aria-label={t('toast.dismiss')}
              onClick={() => dismiss(one.id)}
            >
              <Icon name="close" />
            </button>
          </div>
        )}
      </For>
    </section>
  );
}
