/** Take a span of one or more cameras out: as files to look at, or as a case to hand over. */

import { createMemo, createResource, createSignal, For, Show } from 'solid-js';
import { addExport, type ExportFormat, estimate, fits, recordedWithin } from '../api/exports';
import { getTimeline } from '../api/timeline';
import { navigate } from '../app/router';
import { bytes, dateTime, span as saySpan, t } from '../i18n';
import { streamTitle } from '../pages/stream-title';
import type { Span } from '../playback/timeline';
import { cameraById, cameraList, stateOf } from '../state/cameras';
import { isAdministrator } from '../state/session';
import { Busy, Dialog, Field, FormError, Segmented, Switch } from '../ui/controls';
import { explain, toast } from '../ui/toast';

/** Used where a camera's rate is not known now. */
const USUAL_BITS = 4_000_000;

export function ExportDialog(props: { span: Span; cameras: string[]; onClose: () => void }) {
  const [chosen, setChosen] = createSignal<string[]>([...props.cameras]);
  const [format, setFormat] = createSignal<ExportFormat>('mp4');
  const [exact, setExact] = createSignal(false);
  const [audio, setAudio] = createSignal(true);
  const [burn, setBurn] = createSignal({ time: false, name: false, watermark: false });
  const [masks, setMasks] = createSignal(true);
  const [stream, setStream] = createSignal('main');
  const [reason, setReason] = createSignal('');
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal('');

  const burns = () => burn().time || burn().name || burn().watermark;
  const plain = () => format() === 'mkv';
  const streams = () => [
    ...new Set(chosen().flatMap((id) => (cameraById(id)?.streams ?? []).map((one) => one.name))),
  ];
  const masked = () => chosen().some((id) => (cameraById(id)?.masks ?? []).length > 0);
  const [recorded] = createResource(
    () => ({ ids: chosen(), name: stream(), span: { ...props.span } }),
    async ({ ids, name, span }) =>
      Promise.all(
        ids.map(async (id) => {
          const query = { ...span, stream: name, step: 0 };
          // What cannot be asked for is not said to be missing.
          const found = await getTimeline(id, query).catch(() => undefined);
          return { id, ms: found && recordedWithin(found.spans, span) };
        }),
      ),
  );
  const size = createMemo(() =>
    estimate(
      (recorded.latest ?? []).map(({ id, ms }) => ({
        perSecond: (stateOf(id, stream())?.bitrate || USUAL_BITS) / 8,
        recordedMs: ms ?? props.span.end - props.span.start,
      })),
    ),
  );
  const missing = () => (recorded.latest ?? []).filter((one) => one.ms === 0);
  const toggle = (id: string, on: boolean) =>
    setChosen(on ? [...chosen(), id] : chosen().filter((one) => one !== id));

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy()) return;
    if (chosen().length === 0) {
      setError(t('export.noCamera'));
      return;
    }
    setBusy(true);
    setError('');
    try {
      await addExport(
        fits({
          cameras: chosen(),
          start: props.span.start,
          end: props.span.end,
          stream: stream(),
          format: format(),
          exact: exact(),
          audio: audio(),
          burn: burn(),
          zone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC',
          masks: masks(),
          reason: reason().trim(),
        }),
      );
      toast(t('export.started'), 'ok');
      props.onClose();
      navigate('/evidence');
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog title={t('export.title')} onClose={props.onClose}>
      <form class="stack" onSubmit={submit} novalidate>
        <p class="soft num">
          {dateTime(props.span.start)} – {dateTime(props.span.end)} (
          {saySpan(props.span.end - props.span.start)})
        </p>
        <fieldset class="field">
          <legend class="label">{t('export.cameras')}</legend>
          <div class="check-grid">
            <For each={cameraList()}>
              {(one) => (
                <label class="check">
                  <input
                    type="checkbox"
                    name="camera"
                    value={one.id}
                    checked={chosen().includes(one.id)}
                    onChange={(event) => toggle(one.id, event.currentTarget.checked)}
                  />
                  <span class="truncate">{one.name}</span>
                </label>
              )}
            </For>
          </div>
        </fieldset>
        <div class="field">
          <span class="label">{t('export.format')}</span>
          <div>
            <Segmented
              label={t('export.format')}
              value={format()}
              options={[
                { value: 'mp4', label: 'MP4' },
                { value: 'mkv', label: 'MKV' },
                { value: 'case', label: t('export.format.case') },
              ]}
              onChange={setFormat}
            />
          </div>
          <span class="hint">{t(`export.format.${format()}.hint`)}</span>
        </div>
        <Show when={streams().length > 1}>
          <div class="field">
            <span class="label">{t('storage.stream')}</span>
            <div>
              <Segmented
                label={t('storage.stream')}
                value={stream()}
                options={streams().map((name) => ({ value: name, label: streamTitle(name) }))}
                onChange={setStream}
              />
            </div>
          </div>
        </Show>
        <Show when={!plain()}>
          <div class="row switches">
            <Switch label={t('export.exact')} checked={exact()} onChange={setExact} />
            <Switch label={t('export.audio')} checked={audio()} onChange={setAudio} />
          </div>
          <fieldset class="field">
            <legend class="label">{t('export.burn')}</legend>
            <div class="row switches">
              <For each={['time', 'name', 'watermark'] as const}>
                {(what) => (
                  <Switch
                    label={t(`export.burn.${what}`)}
                    checked={burn()[what]}
                    onChange={(on) => setBurn({ ...burn(), [what]: on })}
                  />
                )}
              </For>
            </div>
            <Show when={burns()}>
              <span class="hint">{t('export.burn.hint')}</span>
            </Show>
          </fieldset>
        </Show>
        <Show when={masked()}>
          <div class="field">
            <Show when={isAdministrator()}>
              <div class="row switches">
                <Switch
                  label={t('export.unmask')}
                  checked={!masks()}
                  onChange={(off) => setMasks(!off)}
                />
              </div>
            </Show>
            <Show when={masks()}>
              <span class="hint">{t(plain() ? 'export.masked.mkv' : 'export.masked.hint')}</span>
            </Show>
          </div>
        </Show>
        <Field
          label={t('export.reason')}
          hint={t('export.reason.hint')}
          name="reason"
          maxLength={500}
          value={reason()}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
        <p class="soft num" role="status">
          <Show when={!recorded.loading} fallback={t('app.loading')}>
            {t('export.estimate', { size: bytes(size()) })}
          </Show>
        </p>
        <For each={missing()}>
          {(one) => (
            <p class="notice">
              {t('export.nothing', { name: cameraById(one.id)?.name ?? one.id })}
            </p>
          )}
        </For>
        <FormError text={error()} />
        <div class="dialog-foot">
          <button type="button" class="btn" onClick={() => props.onClose()}>
            {t('app.cancel')}
          </button>
          <button type="submit" class="btn primary" disabled={busy()}>
            <Busy when={busy()}>{t('selection.export')}</Busy>
          </button>
        </div>
      </form>
    </Dialog>
  );
}
