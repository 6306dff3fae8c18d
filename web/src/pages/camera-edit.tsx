import { createSignal } from 'solid-js';
import { changeCamera } from '../api/cameras';
import type { Camera, CameraChange } from '../api/types';
import { t } from '../i18n';
import { reloadCameras } from '../state/cameras';
import { Dialog, FormError, SaveFoot } from '../ui/controls';
import { explain, toast } from '../ui/toast';
import { CameraFields, checkDraft, createDraft, draftOf, isSound, streamsOf } from './camera-form';

export function EditCameraDialog(props: { camera: Camera; onClose: () => void }) {
  const [draft, set] = createDraft(draftOf(props.camera));
  const [tried, setTried] = createSignal(false);
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal('');
  const errors = () => (tried() ? checkDraft(draft) : {});

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setTried(true);
    if (busy() || !isSound(checkDraft(draft))) return;
    setBusy(true);
    setError('');
    const change: CameraChange = {
      name: draft.name.trim(),
      username: draft.username,
      streams: streamsOf(draft, props.camera.streams),
      onvif: draft.onvif.trim(),
    };
    if (draft.password) change.password = draft.password;
    try {
      await changeCamera(props.camera.id, change);
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
    <Dialog title={t('camera.edit')} onClose={props.onClose}>
      <form class="stack" onSubmit={submit} novalidate>
        <CameraFields
          draft={draft}
          set={set}
          errors={errors()}
          keepsPassword={props.camera.has_password}
        />
        <FormError text={error()} />
        <SaveFoot busy={busy()} onCancel={props.onClose} />
      </form>
    </Dialog>
  );
}
