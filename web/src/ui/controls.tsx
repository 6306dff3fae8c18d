/** The small parts every screen is made of. */

import {
  createEffect,
  createUniqueId,
  For,
  type JSX,
  onCleanup,
  onMount,
  Show,
  splitProps,
} from 'solid-js';
import { t } from '../i18n';
import { Icon, type IconName } from './icon';

type FieldProps = JSX.InputHTMLAttributes<HTMLInputElement> & {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
};

export function Field(props: FieldProps) {
  const id = createUniqueId();
  const [own, rest] = splitProps(props, ['label', 'hint', 'error', 'class']);
  return (
    <div class="field">
      <label for={id}>{own.label}</label>
      <input
        id={id}
        class={`input ${own.class ?? ''}`}
        aria-invalid={own.error ? 'true' : undefined}
        aria-describedby={`${id}-note`}
        autocomplete="off"
        spellcheck={false}
        {...rest}
      />
      <span id={`${id}-note`} class={own.error ? 'error' : 'hint'}>
        {own.error || own.hint}
      </span>
    </div>
  );
}

interface SegmentedProps<T extends string | number> {
  label: string;
  value: T;
  options: readonly { value: T; label: string; title?: string }[];
  onChange: (value: T) => void;
}

/** One of a few: a radio group that looks like a row of buttons. */
export function Segmented<T extends string | number>(props: SegmentedProps<T>) {
  let group: HTMLDivElement | undefined;
  const step = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const at = props.options.findIndex((option) => option.value === props.value);
    const to = props.options[(at + by + props.options.length) % props.options.length];
    if (!to) return;
    props.onChange(to.value);
    group?.querySelector<HTMLElement>(`[data-value="${to.value}"]`)?.focus();
  };
  return (
    <div
      ref={(element) => {
        group = element;
      }}
      class="segmented"
      role="radiogroup"
      aria-label={props.label}
      onKeyDown={step}
    >
      <For each={props.options}>
        {(option) => (
          // biome-ignore lint/a11y/useSemanticElements: a button keeps the look and the keys
          <button
            type="button"
            role="radio"
            aria-checked={option.value === props.value}
            tabIndex={option.value === props.value ? 0 : -1}
            data-value={option.value}
            title={option.title ?? option.label}
            onClick={() => props.onChange(option.value)}
          >
            {option.label}
          </button>
        )}
      </For>
    </div>
  );
}

export function Switch(props: {
  label: string;
  checked: boolean;
  disabled?: boolean;
  onChange: (on: boolean) => void;
}) {
  return (
    <label class="switch">
      <input
        type="checkbox"
        role="switch"
        aria-checked={props.checked}
        checked={props.checked}
        disabled={props.disabled ?? false}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      <span>{props.label}</span>
    </label>
  );
}

export function Dialog(props: { title: string; onClose: () => void; children: JSX.Element }) {
  let dialog: HTMLDialogElement | undefined;
  const id = createUniqueId();
  onMount(() => dialog?.showModal());
  onCleanup(() => dialog?.close());
  return (
    <dialog
      ref={(element) => {
        dialog = element;
      }}
      class="dialog"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <div class="dialog-head">
        <h2 id={id}>{props.title}</h2>
        <button
          type="button"
          class="btn quiet icon"
          aria-label={t('app.close')}
          onClick={() => props.onClose()}
        >
          <Icon name="close" />
        </button>
      </div>
      <div class="dialog-body">{props.children}</div>
    </dialog>
  );
}

/** Ask before something that cannot be undone. */
export function Confirm(props: {
  title: string;
  lead: string;
  action: string;
  busy: boolean;
  onYes: () => void;
  onClose: () => void;
}) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p class="soft">{props.lead}</p>
      <div class="dialog-foot">
        <button type="button" class="btn" onClick={() => props.onClose()}>
          {t('app.cancel')}
        </button>
        <button
          type="button"
          class="btn danger"
          disabled={props.busy}
          onClick={() => props.onYes()}
        >
          {props.action}
        </button>
      </div>
    </Dialog>
  );
}

export function Empty(props: {
  icon: IconName;
  title: string;
  lead: string;
  children?: JSX.Element;
}) {
  return (
    <div class="empty">
      <Icon name={props.icon} />
      <h2>{props.title}</h2>
      <p>{props.lead}</p>
      {props.children}
    </div>
  );
}

export function Loading() {
  return (
    <div class="empty" role="status">
      <span class="spinner large" />
      <span class="sr-only">{t('app.loading')}</span>
    </div>
  );
}

/** Calls `leave` on a press outside `element()` or on Escape, while `open()`. */
export function onOutside(
  element: () => HTMLElement | undefined,
  open: () => boolean,
  leave: () => void,
): void {
  createEffect(() => {
    if (!open()) return;
    const press = (event: Event) => {
      if (event.target instanceof Node && !element()?.contains(event.target)) leave();
    };
    const key = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      leave();
    };
    document.addEventListener('pointerdown', press, true);
    document.addEventListener('keydown', key, true);
    onCleanup(() => {
      document.removeEventListener('pointerdown', press, true);
      document.removeEventListener('keydown', key, true);
    });
  });
}

export function Busy(props: { when: boolean; children: JSX.Element }) {
  return (
    <>
      <Show when={props.when}>
        <span class="spinner" />
      </Show>
      {props.children}
    </>
  );
}

/** What went wrong with a form, said aloud too. */
export function FormError(props: { text: string | undefined }) {
  return (
    <Show when={props.text}>
      <p class="form-error" role="alert">
        {props.text}
      </p>
    </Show>
  );
}

/** The foot of a form in a dialog. */
export function SaveFoot(props: { busy: boolean; onCancel: () => void }) {
  return (
    <div class="dialog-foot">
      <button type="button" class="btn" onClick={() => props.onCancel()}>
        {t('app.cancel')}
      </button>
      <button type="submit" class="btn primary" disabled={props.busy}>
        <Busy when={props.busy}>{props.busy ? t('app.saving') : t('app.save')}</Busy>
      </button>
    </div>
  );
}
