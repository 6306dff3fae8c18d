/** Who did what, when, from where; and whether anything of it was changed. */

import { createResource, createSignal, For, Show } from 'solid-js';
import { type AuditEntry, type AuditFilter, checkAudit, listAudit } from '../api/storage';
import { clock, dateTime, type MessageKey, number, t } from '../i18n';
import { en } from '../i18n/en';
import { cameraById, cameraList } from '../state/cameras';
import { isAdministrator } from '../state/session';
import { Busy, Empty, Loading } from '../ui/controls';
import { Icon } from '../ui/icon';
import { explain, toastError } from '../ui/toast';
import { SystemTabs } from './system';

const PAGE = 100;

export function AuditPage() {
  const [filter, setFilter] = createSignal<AuditFilter>({});
  const [older, setOlder] = createSignal<AuditEntry[]>([]);
  const [atEnd, setAtEnd] = createSignal(false);
  const [busy, setBusy] = createSignal(false);
  const [verdict, setVerdict] = createSignal<{ ok: boolean; text: string }>();
  const [entries, { refetch }] = createResource(
    () => isAdministrator() && filter(),
    async (chosen) => {
      setOlder([]);
      const found = await listAudit({ ...chosen, limit: PAGE });
      setAtEnd(found.length < PAGE);
      return found;
    },
  );
  const all = () => [...(entries.latest ?? []), ...older()];

  const act = async (work: () => Promise<void>) => {
    if (busy()) return;
    setBusy(true);
    try {
      await work();
    } catch (error) {
      toastError(error);
    } finally {
      setBusy(false);
    }
  };
  const more = () =>
    act(async () => {
      const last = all().at(-1);
      if (!last) return;
      const found = await listAudit({ ...filter(), before: last.seq, limit: PAGE });
      setAtEnd(found.length < PAGE);
      setOlder([...older(), ...found]);
    });
  const check = () =>
    act(async () => {
      const found = await checkAudit();
      setVerdict({
        ok: found.ok,
        text: found.ok
          ? t('audit.check.ok', { count: number(found.entries), head: found.head })
          : t('audit.check.bad', { seq: number(found.broken_at ?? 0) }),
      });
    });
  const change = (part: AuditFilter) => {
    const next: Record<string, unknown> = { ...filter(), ...part };
    for (const [key, value] of Object.entries(next)) if (!value) delete next[key];
    setFilter(next as AuditFilter);
  };

  return (
    <div class="page">
      <div class="page-inner wide">
        <header class="page-head">
          <h1 class="grow">{t('audit.title')}</h1>
          <Show when={isAdministrator()}>
            <button type="button" class="btn" disabled={busy()} onClick={() => void check()}>
              <Icon name="evidence" />
              {t('audit.check')}
            </button>
            <button type="button" class="btn" onClick={() => void refetch()}>
              <Icon name="refresh" />
              {t('system.refresh')}
            </button>
          </Show>
        </header>
        <SystemTabs />
        <Show
          when={isAdministrator()}
          fallback={<Empty icon="lock" title={t('error.forbidden')} lead="" />}
        >
          <Show when={verdict()}>
            {(said) => (
              <p class="notice" classList={{ bad: !said().ok, good: said().ok }} role="status">
                {said().text}
              </p>
            )}
          </Show>
          <Filters filter={filter()} onChange={change} />
          <Show
            when={!entries.error}
            fallback={<Empty icon="offline" title={explain(entries.error)} lead="" />}
          >
            <Show when={entries.latest} fallback={<Loading />}>
              <Entries entries={all()} />
              <Show when={!atEnd()}>
                <div class="row list-tools">
                  <button type="button" class="btn" disabled={busy()} onClick={() => void more()}>
                    <Busy when={busy()}>{t('audit.more')}</Busy>
                  </button>
                </div>
              </Show>
            </Show>
          </Show>
        </Show>
      </div>
    </div>
  );
}

function Filters(props: { filter: AuditFilter; onChange: (part: AuditFilter) => void }) {
  return (
    <div class="filters">
      <label class="field">
        <span class="label">{t('storage.camera')}</span>
        <select
          class="select"
          value={props.filter.camera ?? ''}
          onChange={(event) => props.onChange({ camera: event.currentTarget.value })}
        >
          <option value="">{t('audit.all')}</option>
          <For each={cameraList()}>{(one) => <option value={one.id}>{one.name}</option>}</For>
        </select>
      </label>
      <label class="field">
        <span class="label">{t('audit.user')}</span>
        <input
          class="input"
          name="user"
          value={props.filter.user ?? ''}
          onChange={(event) => props.onChange({ user: event.currentTarget.value.trim() })}
        />
      </label>
      <label class="field">
        <span class="label">{t('audit.action')}</span>
        <input
          class="input"
          name="action"
          placeholder="export"
          list="audit-actions"
          value={props.filter.action ?? ''}
          onChange={(event) => props.onChange({ action: event.currentTarget.value.trim() })}
        />
      </label>
      <datalist id="audit-actions">
        <For each={ACTIONS}>{(one) => <option value={one}>{actionWord(one)}</option>}</For>
      </datalist>
    </div>
  );
}

function Entries(props: { entries: AuditEntry[] }) {
  return (
    <section class="panel table-wrap">
      <table class="table">
        <thead>
          <tr>
            <th class="right">#</th>
            <th>{t('audit.when')}</th>
            <th>{t('audit.user')}</th>
            <th>{t('audit.action')}</th>
            <th>{t('storage.camera')}</th>
            <th>{t('audit.span')}</th>
            <th>{t('audit.detail')}</th>
          </tr>
        </thead>
        <tbody>
          <For
            each={props.entries}
            fallback={
              <tr>
                <td colSpan={7} class="soft">
                  {t('audit.none')}
                </td>
              </tr>
            }
          >
            {(one) => (
              <tr data-seq={one.seq}>
                <td class="right num faint">{one.seq}</td>
                <td class="nowrap num">{dateTime(one.at)}</td>
                <td>
                  {one.user || '–'}
                  <div class="faint mono">{one.address}</div>
                </td>
                <td>
                  {actionWord(one.action)}
                  <div class="faint mono">{one.action}</div>
                </td>
                <td>{one.camera ? (cameraById(one.camera)?.name ?? one.camera) : ''}</td>
                <td class="num nowrap">{spanWords(one)}</td>
                <td class="soft roomy">{detailWords(one.detail)}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </section>
  );
}

const PREFIX = 'audit.action.';
const ACTIONS = Object.keys(en)
  .filter((key) => key.startsWith(PREFIX))
  .map((key) => key.slice(PREFIX.length));

/** What was done in the reader's words; an action that is not known speaks for itself. */
const actionWord = (action: string): string =>
  ACTIONS.includes(action) ? t(`${PREFIX}${action}` as MessageKey) : action;

const spanWords = (one: AuditEntry): string => {
  if (one.start === null) return '';
  const end = one.end === null || one.end === one.start ? '' : ` – ${clock(one.end)}`;
  return `${dateTime(one.start)}${end}`;
};

const detailWords = (detail: Record<string, unknown>): string =>
  Object.entries(detail)
    .map(([key, value]) => `${key}: ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ');
