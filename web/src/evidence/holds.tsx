/** Locks and bookmarks: what they hold, since when, and letting go of them with a reason. */

import { createResource, createSignal, For, Show } from 'solid-js';
import { type Hold, listHolds, releaseHold } from '../api/holds';
import { Link } from '../app/router';
import { dateTime, t } from '../i18n';
import { cameraById } from '../state/cameras';
import { Dialog, Empty, Field, FormError, Loading, Switch } from '../ui/controls';
import { Icon } from '../ui/icon';
import { explain, toast } from '../ui/toast';

export const inForce = (hold: Hold, now: number): boolean =>
  hold.released === null && (hold.until === null || hold.until > now);

export function Holds() {
  const [all, setAll] = createSignal(false);
  const [list, { refetch }] = createResource(
    () => ({ all: all() }),
    (wanted) => listHolds(wanted.all),
  );
  const [releasing, setReleasing] = createSignal<Hold>();
  const shown = () =>
    (list.latest ?? [])
      .filter((hold) => all() || inForce(hold, Date.now()))
      .sort((one, other) => other.created - one.created);
  return (
    <Show
      when={!list.error}
      fallback={<Empty icon="offline" title={explain(list.error)} lead="" />}
    >
      <Show when={list.latest} fallback={<Loading />}>
        <div class="row list-tools">
          <Switch label={t('holds.past')} checked={all()} onChange={setAll} />
        </div>
        <Show
          when={shown().length > 0}
          fallback={<Empty icon="bookmark" title={t('holds.empty')} lead={t('holds.empty.lead')} />}
        >
          <ul class="job-list">
            <For each={shown()}>
              {(hold) => <Row hold={hold} onRelease={() => setReleasing(hold)} />}
            </For>
          </ul>
        </Show>
      </Show>
      <Show when={releasing()}>
        {(hold) => (
          <ReleaseDialog
            hold={hold()}
            onClose={() => setReleasing(undefined)}
            onDone={() => void refetch()}
          />
        )}
      </Show>
    </Show>
  );
}

function Row(props: { hold: Hold; onRelease: () => void }) {
  const live = () => inForce(props.hold, Date.now());
  return (
    <li class="panel job" data-hold={props.hold.id}>
      <Icon name={props.hold.kind} class={`hold-${props.hold.kind}`} />
      <div class="job-main">
        <strong>{props.hold.reason}</strong>
        <span class="soft">
          {cameraById(props.hold.camera)?.name ?? props.hold.camera}
          {' · '}
          <span class="num">
            {dateTime(props.hold.start)} – {dateTime(props.hold.end)}
          </span>
        </span>
        <span class="faint">
          {[
            t(`hold.${props.hold.kind}`),
            props.hold.owner,
            dateTime(props.hold.created),
            props.hold.until ? t('holds.until', { when: dateTime(props.hold.until) }) : '',
            props.hold.released
              ? t('holds.released', {
                  when: dateTime(props.hold.released),
                  name: props.hold.released_by,
                })
              : '',
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </div>
      <div class="row">
        <Link
          class="btn small"
          href={`/playback/${props.hold.camera}?at=${Math.round(props.hold.start)}`}
        >
          <Icon name="history" />
          {t('holds.find')}
        </Link>
        <Show when={live()}>
          <button type="button" class="btn small quiet" onClick={() => props.onRelease()}>
            <Icon name="unlock" />
            {t('holds.release')}
          </button>
        </Show>
      </div>
    </li>
  );
}

function ReleaseDialog(props: { hold: Hold; onClose: () => void; onDone: () => void }) {
  const [reason, setReason] = createSignal('');
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal('');
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy()) return;
    if (!reason().trim()) {
      setError(t('hold.reason.missing'));
      return;
    }
    setBusy(true);
    try {
      await releaseHold(props.hold.id, reason().trim());
      toast(t('holds.release.done'), 'ok');
      props.onDone();
      props.onClose();
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={t('holds.release.title')} onClose={props.onClose}>
      <form class="stack" onSubmit={submit} novalidate>
        <p class="soft">{t('holds.release.lead')}</p>
        <p>
          <strong>{props.hold.reason}</strong>
        </p>
        <Field
          label={t('hold.reason')}
          name="reason"
          maxLength={500}
          value={reason()}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
        <FormError text={error()} />
        <div class="dialog-foot">
          <button type="button" class="btn" onClick={() => props.onClose()}>
            {t('app.cancel')}
          </button>
          <button type="submit" class="btn danger" disabled={busy()}>
            {t('holds.release')}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
