/** How long recordings are kept: for all cameras, and apart for some. For administrators. */

import { createEffect, createResource, createSignal, For, Show } from 'solid-js';
import { createStore, reconcile } from 'solid-js/store';
import { getRetention, putRetention, type Retention, type RetentionRule } from '../api/storage';
import { t } from '../i18n';
import { cameraById, cameraList } from '../state/cameras';
import { FormError, Loading } from '../ui/controls';
import { Icon } from '../ui/icon';
import { Panel } from '../ui/panel';
import { explain, toast } from '../ui/toast';
import { draftOfRule, emptyRule, type RuleDraft, type RuleField, ruleOf } from './rules';

const DEFAULT = '*';
const FIELDS: readonly RuleField[] = ['days', 'gigabytes', 'share', 'events'];

export function RetentionPanel() {
  const [rules, { mutate }] = createResource(getRetention);
  const [drafts, set] = createStore<Record<string, RuleDraft>>({});
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal('');

  const load = (from: Retention) =>
    set(
      reconcile({
        [DEFAULT]: draftOfRule(from.default),
        ...Object.fromEntries(
          Object.entries(from.cameras).map(([id, rule]) => [id, draftOfRule(rule)]),
        ),
      }),
    );
  createEffect(() => {
    const found = rules.state === 'ready' ? rules() : undefined;
    if (found) load(found);
  });
  const own = () => Object.keys(drafts).filter((id) => id !== DEFAULT);
  const others = () => cameraList().filter((one) => !drafts[one.id]);
  const nameOf = (id: string) =>
    id === DEFAULT ? t('retention.default') : (cameraById(id)?.name ?? id);

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy()) return;
    setError('');
    const made: Record<string, RetentionRule> = {};
    for (const [id, draft] of Object.entries(drafts)) {
      const rule = ruleOf(draft);
      if (typeof rule === 'string') {
        setError(t('retention.bad', { camera: nameOf(id), field: t(`retention.${rule}`) }));
        return;
      }
      made[id] = rule;
    }
    const { [DEFAULT]: base, ...cameras } = made;
    setBusy(true);
    try {
      const answer = await putRetention({ default: base ?? emptyRule, cameras });
      mutate(answer);
      toast(t('camera.saved'), 'ok');
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Panel title={t('retention.title')}>
      <p class="soft">{t('retention.lead')}</p>
      <Show when={!rules.error} fallback={<p class="error-text">{explain(rules.error)}</p>}>
        <Show when={drafts[DEFAULT]} fallback={<Loading />}>
          <form class="stack" onSubmit={submit} novalidate>
            <div class="table-wrap">
              <table class="table">
                <thead>
                  <tr>
                    <th>{t('storage.camera')}</th>
                    <For each={FIELDS}>{(field) => <th>{t(`retention.${field}`)}</th>}</For>
                    <th />
                  </tr>
                </thead>
                <tbody>
                  <For each={[DEFAULT, ...own()]}>
                    {(id) => (
                      <tr data-rule={id}>
                        <td>{nameOf(id)}</td>
                        <For each={FIELDS}>
                          {(field) => (
                            <td>
                              <input
                                class="input table-input"
                                classList={{ wide: field === 'events' }}
                                name={field}
                                aria-label={`${nameOf(id)}: ${t(`retention.${field}`)}`}
                                placeholder={t(`retention.${field}.empty`)}
                                value={drafts[id]?.[field] ?? ''}
                                onInput={(event) => set(id, field, event.currentTarget.value)}
                              />
                            </td>
                          )}
                        </For>
                        <td>
                          <Show when={id !== DEFAULT}>
                            <button
                              type="button"
                              class="btn small quiet icon"
                              aria-label={t('retention.remove', { name: nameOf(id) })}
                              title={t('retention.remove', { name: nameOf(id) })}
                              onClick={() => set(id, undefined as never)}
                            >
                              <Icon name="trash" />
                            </button>
                          </Show>
                        </td>
                      </tr>
                    )}
                  </For>
                </tbody>
              </table>
            </div>
            <div class="row">
              <Show when={others().length > 0}>
                <select
                  class="select add-row"
                  aria-label={t('retention.add')}
                  value=""
                  onChange={(event) => {
                    const id = event.currentTarget.value;
                    event.currentTarget.value = '';
                    if (id) set(id, draftOfRule(emptyRule));
                  }}
                >
                  <option value="">{t('retention.add')}</option>
                  <For each={others()}>{(one) => <option value={one.id}>{one.name}</option>}</For>
                </select>
              </Show>
              <span class="grow" />
              <button type="submit" class="btn primary" disabled={busy()}>
                {busy() ? t('app.saving') : t('app.save')}
              </button>
            </div>
            <FormError text={error()} />
          </form>
        </Show>
      </Show>
    </Panel>
  );
}
