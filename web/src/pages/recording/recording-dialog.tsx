/** When and how each stream of a camera is recorded. For administrators. */

import { createSignal, Index, Show } from 'solid-js';
import { createStore } from 'solid-js/store';
import { changeCamera } from '../../api/cameras';
import type { Camera } from '../../api/types';
import { t } from '../../i18n';
import { reloadCameras } from '../../state/cameras';
import { Dialog, Field, FormError, SaveFoot, Segmented, Switch } from '../../ui/controls';
import { explain, toast } from '../../ui/toast';
import { streamTitle } from '../stream-title';
import {
  byEvents,
  draftOfStream,
  faultOf,
  MOST_AFTER_S,
  MOST_BEFORE_S,
  type RollDraft,
  streamOf,
} from './draft';
import { ScheduleEditor } from './schedule-editor';

const MODES = ['continuous', 'event', 'schedule', 'off'] as const;

export function RecordingDialog(props: { camera: Camera; onClose: () => void }) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
  // What was edited is compared with what was read, even when the camera is read anew meanwhile.
  const before = props.camera.streams.map((stream) => ({ ...stream }));
  const [drafts, set] = createStore<RollDraft[]>(before.map((one) => draftOfStream(one, zone)));
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal('');

  const wrong = (): string => {
    for (const draft of drafts) {
      const fault = faultOf(draft);
      if (fault === 'holidays') return t('recording.badHoliday');
      if (fault) {
        return t('recording.bad', {
          stream: streamTitle(draft.name),
          field: t(fault === 'before' ? 'recording.preRoll' : 'recording.postRoll'),
          most: fault === 'before' ? MOST_BEFORE_S : MOST_AFTER_S,
        });
      }
    }
    return '';
  };

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setError(wrong());
    if (busy() || error()) return;
    setBusy(true);
    try {
      const streams = before.map((old, at) => {
        const draft = drafts[at];
        return draft ? streamOf(draft, old) : old;
      });
      await changeCamera(props.camera.id, { streams });
      await reloadCameras();
      toast(t('camera.saved'), 'ok');
      props.onClose();
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog title={t('recording.title', { name: props.camera.name })} onClose={props.onClose}>
      <form class="stack wide-body" onSubmit={submit} novalidate>
        <Index each={drafts}>
          {(draft, at) => (
            <StreamFields draft={draft()} onChange={(part) => set(at, { ...draft(), ...part })} />
          )}
        </Index>
        <FormError text={error()} />
        <SaveFoot busy={busy()} onCancel={props.onClose} />
      </form>
    </Dialog>
  );
}

function StreamFields(props: { draft: RollDraft; onChange: (part: Partial<RollDraft>) => void }) {
  return (
    <fieldset class="stream-fields" data-stream={props.draft.name}>
      <legend class="label">{streamTitle(props.draft.name)}</legend>
      <div>
        <Segmented
          label={t('recording.mode')}
          value={props.draft.recording}
          options={MODES.map((mode) => ({ value: mode, label: t(`recording.mode.${mode}`) }))}
          onChange={(recording) => props.onChange({ recording })}
        />
      </div>
      <Show when={props.draft.recording === 'schedule'}>
        <ScheduleEditor
          draft={props.draft.calendar}
          error={faultOf(props.draft) === 'holidays' ? t('recording.badHoliday') : undefined}
          onChange={(calendar) => props.onChange({ calendar })}
        />
      </Show>
      <Show when={byEvents(props.draft)}>
        <p class="hint">{t('recording.mode.event.hint')}</p>
        <div class="two">
          <Field
            label={t('recording.preRoll')}
            name="before"
            inputmode="decimal"
            value={props.draft.before}
            onInput={(event) => props.onChange({ before: event.currentTarget.value })}
          />
          <Field
            label={t('recording.postRoll')}
            name="after"
            inputmode="decimal"
            value={props.draft.after}
            onInput={(event) => props.onChange({ after: event.currentTarget.value })}
          />
        </div>
      </Show>
      <Show when={props.draft.recording !== 'off'}>
        <div class="row switches">
          <Switch
            label={t('recording.audio')}
            checked={props.draft.audio}
            onChange={(audio) => props.onChange({ audio })}
          />
        </div>
      </Show>
    </fieldset>
  );
}
