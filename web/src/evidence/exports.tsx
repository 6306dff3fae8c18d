/** The exports: how far they are, fetching them, and how long they stay. */

import { createResource, createSignal, For, onCleanup, Show } from 'solid-js';
import {
  cancelExport,
  deleteExport,
  type ExportModel,
  getEvidenceKey,
  listExports,
} from '../api/exports';
import { bytes, clock, dateTime, number, t, tn } from '../i18n';
import { cameraById } from '../state/cameras';
import { watched } from '../state/page';
import { Confirm, Empty, Loading } from '../ui/controls';
import { Icon } from '../ui/icon';
import { explain, toastError } from '../ui/toast';
import { saveExport } from './download';

const BUSY_EVERY_MS = 1500;
const IDLE_EVERY_MS = 10_000;

const tones = { queued: '', running: 'accent', done: 'ok', failed: 'bad', cancelled: '' } as const;

export function Exports() {
  const [list, { refetch }] = createResource(listExports);
  const [deleting, setDeleting] = createSignal<ExportModel>();
  const [busy, setBusy] = createSignal(false);
  // Reading a list that could not be fetched throws: asking again must outlive that.
  const known = () => (list.error ? undefined : list.latest);
  const active = () =>
    (known() ?? []).some((one) => one.state === 'running' || one.state === 'queued');
  let timer: ReturnType<typeof setTimeout>;
  const again = () => {
    timer = setTimeout(
      async () => {
        if (watched()) await refetch();
        again();
      },
      active() ? BUSY_EVERY_MS : IDLE_EVERY_MS,
    );
  };
  again();
  onCleanup(() => clearTimeout(timer));

  const act = async (work: () => Promise<unknown>) => {
    setBusy(true);
    try {
      await work();
      setDeleting(undefined);
      await refetch();
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Show
      when={!list.error}
      fallback={<Empty icon="offline" title={explain(list.error)} lead="" />}
    >
      <Show when={known()} fallback={<Loading />}>
        {(found) => (
          <Show
            when={found().length > 0}
            fallback={
              <Empty icon="download" title={t('exports.empty')} lead={t('exports.empty.lead')} />
            }
          >
            <ul class="job-list">
              <For each={found()}>
                {(job) => (
                  <Job
                    job={job}
                    busy={busy()}
                    onCancel={() => void act(() => cancelExport(job.id))}
                    onDelete={() => setDeleting(job)}
                  />
                )}
              </For>
            </ul>
          </Show>
        )}
      </Show>
      <KeyLine />
      <Show when={deleting()}>
        {(job) => (
          <Confirm
            title={t('exports.delete.title')}
            lead={t('exports.delete.lead')}
            action={t('app.delete')}
            busy={busy()}
            onYes={() => void act(() => deleteExport(job().id))}
            onClose={() => setDeleting(undefined)}
          />
        )}
      </Show>
    </Show>
  );
}

/** Whoever gets a case compares this with what they were told by another way. */
function KeyLine() {
  const [key] = createResource(() => getEvidenceKey().catch(() => undefined));
  return (
    <Show when={key.latest}>
      {(found) => (
        <p class="faint key-line">
          {t('exports.key')} <span class="mono">{found().fingerprint}</span>
        </p>
      )}
    </Show>
  );
}

function Job(props: {
  job: ExportModel;
  busy: boolean;
  onCancel: () => void;
  onDelete: () => void;
}) {
  const active = () => props.job.state === 'running' || props.job.state === 'queued';
  const cameras = () =>
    (props.job.spec.cameras ?? []).map((id) => cameraById(id)?.name ?? id).join(', ');
  const [saving, setSaving] = createSignal(false);
  const save = async () => {
    setSaving(true);
    try {
      await saveExport(props.job);
    } catch (error) {
      toastError(error);
    } finally {
      setSaving(false);
    }
  };
  return (
    <li class="panel job" data-export={props.job.id} data-state={props.job.state}>
      <div class="job-main">
        <strong class="truncate">{cameras()}</strong>
        <span class="soft num">
          {dateTime(props.job.spec.start ?? 0)} – {dateTime(props.job.spec.end ?? 0)}
        </span>
        <span class="faint">
          {[
            formatWord(props.job.spec.format),
            props.job.size > 0 ? bytes(props.job.size) : '',
            props.job.owner,
            props.job.spec.reason ?? '',
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
        <Show when={props.job.state === 'done'}>
          <Contents job={props.job} />
        </Show>
        <Show when={props.job.error}>
          <span class="error-text" role="alert">
            {props.job.error}
          </span>
        </Show>
        <Show when={active()}>
          <progress
            max="1"
            value={props.job.progress}
            aria-label={t('exports.progress', { percent: number(props.job.progress * 100) })}
          />
        </Show>
      </div>
      <div class="job-side">
        <span class={`badge ${tones[props.job.state]}`}>
          {t(`exports.state.${props.job.state}`)}
          <Show when={props.job.state === 'running'}> {number(props.job.progress * 100)} %</Show>
        </span>
        <Show when={props.job.state === 'done' && props.job.expires}>
          {(expires) => (
            <span class="faint num">{t('exports.expires', { when: dateTime(expires()) })}</span>
          )}
        </Show>
        <div class="row">
          <Show when={props.job.state === 'done'}>
            <button
              type="button"
              class="btn small primary"
              disabled={saving()}
              onClick={() => void save()}
            >
              <Icon name="download" />
              {t('exports.download')}
            </button>
          </Show>
          <Show
            when={active()}
            fallback={
              <button
                type="button"
                class="btn small quiet icon"
                aria-label={t('app.delete')}
                title={t('app.delete')}
                onClick={() => props.onDelete()}
              >
                <Icon name="trash" />
              </button>
            }
          >
            <button
              type="button"
              class="btn small"
              disabled={props.busy}
              onClick={() => props.onCancel()}
            >
              {t('app.cancel')}
            </button>
          </Show>
        </div>
      </div>
    </li>
  );
}

/** What is in it, and what is not: nothing of a span is left out in silence. */
function Contents(props: { job: ExportModel }) {
  const spans = () => props.job.files.filter((file) => file.end > file.start);
  const holes = () => props.job.missing ?? [];
  const problems = () => props.job.problems ?? [];
  return (
    <details class="job-contents">
      <summary>
        {tn('exports.files', props.job.count)}
        <Show when={holes().length > 0}>
          {' · '}
          <span class="warn-text">{tn('exports.missing', holes().length)}</span>
        </Show>
        <Show when={problems().length > 0}>
          {' · '}
          <span class="error-text">{tn('exports.problems', problems().length)}</span>
        </Show>
      </summary>
      <ul>
        <For each={spans()}>
          {(file) => (
            <li>
              <span class="mono">{file.name}</span>
              <span class="soft num">
                {dateTime(file.start)} – {clock(file.end)} · {bytes(file.size)}
              </span>
            </li>
          )}
        </For>
        <For each={holes()}>
          {(hole) => (
            <li class="warn-text num">
              {t('exports.hole', {
                name: cameraById(hole.camera)?.name ?? hole.camera,
                from: dateTime(hole.start),
                to: clock(hole.end),
              })}
            </li>
          )}
        </For>
        <For each={problems()}>{(problem) => <li class="error-text">{problem}</li>}</For>
      </ul>
    </details>
  );
}

const formatWord = (format: string | undefined): string =>
  format === 'case' ? t('export.format.case') : (format ?? '').toUpperCase();
