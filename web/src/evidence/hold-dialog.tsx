/** Lock or bookmark a span, so that nothing deletes it. */

import { createSignal, For, Show } from 'solid-js';
import { addHolds } from '../api/holds';
import type { HoldKind } from '../api/timeline';
import { dateTime, t } from '../i18n';
import type { Span } from '../playback/timeline';
import { cameraById } from '../state/cameras';
import { Dialog, Field, FormError, SaveFoot, Switch } from '../ui/controls';
import { explain, toast } from '../ui/toast';

const DAY_MS = 86_400_000;

export function HoldDialog(props: {
  kind: HoldKind;
  span: Span;
  cameras: string[];
  onClose: () => void;
  onDone: () => void;
}) {
  const [chosen, setChosen] = createSignal<string[]>([...props.cameras]);
  const [reason, setReason] = createSignal('');
  const [ends, setEnds] = createSignal(props.kind === 'bookmark');
  const [days, setDays] = createSignal('90');
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal('');

  const check = (): string => {
    if (!reason().trim()) return t('hold.reason.missing');
    if (chosen().length === 0) return t('export.noCamera');
    if (ends() && !(Number(days()) > 0)) return t('hold.days.bad');
    return '';
  };

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const wrong = check();
    setError(wrong);
    if (busy() || wrong) return;
    setBusy(true);
    try {
      await addHolds({
        cameras: chosen(),
        kind: props.kind,
        start: props.span.start,
        end: props.span.end,
        reason: reason().trim(),
        until: ends() ? Math.round(Date.now() + Number(days()) * DAY_MS) : null,
      });
      toast(t(`hold.${props.kind}.done`), 'ok');
      props.onDone();
      props.onClose();
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog title={t(`hold.${props.kind}.title`)} onClose={props.onClose}>
      <form class="stack" onSubmit={submit} novalidate>
        <p class="soft">{t(`hold.${props.kind}.lead`)}</p>
        <p class="num">
          {dateTime(props.span.start)} – {dateTime(props.span.end)}
        </p>
        <Show when={props.cameras.length > 1}>
          <fieldset class="check-grid">
            <legend class="label">{t('export.cameras')}</legend>
            <For each={props.cameras}>
              {(id) => (
                <label class="check">
                  <input
                    type="checkbox"
                    checked={chosen().includes(id)}
                    onChange={(event) =>
                      setChosen(
                        event.currentTarget.checked
                          ? [...chosen(), id]
                          : chosen().filter((one) => one !== id),
                      )
                    }
                  />
                  <span class="truncate">{cameraById(id)?.name ?? id}</span>
                </label>
              )}
            </For>
          </fieldset>
        </Show>
        <Field
          label={t('hold.reason')}
          name="reason"
          maxLength={500}
          value={reason()}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
        <div class="row switches">
          <Switch label={t('hold.ends')} checked={ends()} onChange={setEnds} />
          <Show when={ends()}>
            <input
              class="input days"
              type="number"
              min="1"
              step="1"
              aria-label={t('hold.days')}
              value={days()}
              onInput={(event) => setDays(event.currentTarget.value)}
            />
            <span class="soft">{t('hold.days')}</span>
          </Show>
        </div>
        <FormError text={error()} />
        <SaveFoot busy={busy()} onCancel={props.onClose} />
      </form>
    </Dialog>
  );
}
