/** Privacy masks of a camera, drawn on its picture. For administrators. */

import { createResource, createSignal, For, onCleanup, Show } from 'solid-js';
import { createStore, produce } from 'solid-js/store';
import { changeCamera } from '../../api/cameras';
import type { Camera, Mask } from '../../api/types';
import { t } from '../../i18n';
import { videoOf } from '../../live/facts';
import { fetchSnapshot } from '../../live/snapshot';
import { reloadCameras, stateOf } from '../../state/cameras';
import { Dialog, FormError, SaveFoot } from '../../ui/controls';
import { Icon } from '../../ui/icon';
import { explain, toast } from '../../ui/toast';
import { MaskBoard } from './mask-board';
import { MOST_MASKS, type Point } from './polygon';

const WIDTH = 1280;

export function MasksDialog(props: { camera: Camera; onClose: () => void }) {
  const [masks, set] = createStore<Mask[]>(
    (props.camera.masks ?? []).map((one) => ({ name: one.name, points: [...one.points] })),
  );
  const [chosen, setChosen] = createSignal<number | undefined>(masks.length ? 0 : undefined);
  const [drawing, setDrawing] = createSignal<Point[] | undefined>(masks.length ? undefined : []);
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal('');
  const [picture] = createResource(async () => {
    const found = await fetchSnapshot(props.camera.id, 'main', WIDTH).catch(() => undefined);
    return found && URL.createObjectURL(found);
  });
  onCleanup(() => {
    const shown = picture.latest;
    if (shown) URL.revokeObjectURL(shown);
  });
  const ratio = (): number => {
    const track = videoOf(stateOf(props.camera.id, 'main'));
    return track?.width && track.height ? track.width / track.height : 16 / 9;
  };

  const close = () => {
    const points = drawing() ?? [];
    if (points.length < 3) {
      setError(t('masks.few'));
      return;
    }
    setError('');
    set(masks.length, { name: '', points });
    setChosen(masks.length - 1);
    setDrawing(undefined);
  };
  const remove = (index: number) => {
    set(produce((all) => all.splice(index, 1)));
    setChosen(undefined);
  };
  const nameOf = (index: number): string =>
    masks[index]?.name || t('masks.one', { count: index + 1 });

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy()) return;
    // Half a mask is not silently thrown away.
    if ((drawing()?.length ?? 0) > 0) {
      close();
      if (drawing()) return;
    }
    setBusy(true);
    setError('');
    try {
      const sent = masks.map((one) => ({ name: one.name.trim(), points: one.points }));
      await changeCamera(props.camera.id, { masks: sent });
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
    <Dialog title={t('masks.title', { name: props.camera.name })} onClose={props.onClose}>
      <form class="stack wide-body" onSubmit={submit} novalidate>
        <p class="soft">{t('masks.lead')}</p>
        <MaskBoard
          masks={masks}
          chosen={chosen()}
          drawing={drawing()}
          picture={picture.latest}
          ratio={ratio()}
          onChoose={setChosen}
          onChange={(index, mask) => set(index, mask)}
          onDraw={setDrawing}
          onClose={close}
        />
        <Show when={!picture.loading && !picture.latest}>
          <p class="notice">{t('masks.noPicture')}</p>
        </Show>
        <ul class="mask-list">
          <For each={masks} fallback={<li class="soft">{t('masks.none')}</li>}>
            {(mask, at) => (
              <li classList={{ 'is-on': at() === chosen() && !drawing() }} data-mask={at()}>
                <button
                  type="button"
                  class="btn small quiet"
                  aria-pressed={at() === chosen()}
                  onClick={() => {
                    setDrawing(undefined);
                    setChosen(at());
                  }}
                >
                  <Icon name="mask" />
                  {t('masks.one', { count: at() + 1 })}
                </button>
                <input
                  class="input"
                  aria-label={t('masks.name')}
                  placeholder={t('masks.name')}
                  maxLength={100}
                  value={mask.name}
                  onFocus={() => setChosen(at())}
                  onInput={(event) => set(at(), 'name', event.currentTarget.value)}
                />
                <button
                  type="button"
                  class="btn small quiet icon"
                  aria-label={t('masks.delete', { name: nameOf(at()) })}
                  title={t('masks.delete', { name: nameOf(at()) })}
                  onClick={() => remove(at())}
                >
                  <Icon name="trash" />
                </button>
              </li>
            )}
          </For>
        </ul>
        <div class="row">
          <Show
            when={drawing()}
            fallback={
              <button
                type="button"
                class="btn small"
                disabled={masks.length >= MOST_MASKS}
                onClick={() => setDrawing([])}
              >
                <Icon name="plus" />
                {t('masks.new')}
              </button>
            }
          >
            {(points) => (
              <>
                <button
                  type="button"
                  class="btn small primary"
                  disabled={points().length < 3}
                  onClick={close}
                >
                  <Icon name="check" />
                  {t('masks.close')}
                </button>
                <button
                  type="button"
                  class="btn small quiet"
                  disabled={points().length === 0 && masks.length === 0}
                  onClick={() => setDrawing(masks.length > 0 ? undefined : [])}
                >
                  {t('masks.drop')}
                </button>
              </>
            )}
          </Show>
        </div>
        <FormError text={error()} />
        <SaveFoot busy={busy()} onCancel={props.onClose} />
      </form>
    </Dialog>
  );
}
