/** Retention rules as a form shows them: text in fields, checked before they are sent. Pure. */

import type { RetentionRule } from '../api/storage';

export interface RuleDraft {
  days: string;
  /** GB. */
  gigabytes: string;
  /** Percent. */
  share: string;
  /** 'motion 60, person 90' */
  events: string;
}

export const emptyRule: RetentionRule = {
  days: null,
  max_bytes: null,
  share: null,
  event_days: {},
};

const plain = (value: number): string => String(Math.round(value * 1000) / 1000);

export function draftOfRule(rule: RetentionRule): RuleDraft {
  return {
    days: rule.days === null ? '' : plain(rule.days),
    gigabytes: rule.max_bytes === null ? '' : plain(rule.max_bytes / 1e9),
    share: rule.share === null ? '' : plain(rule.share * 100),
    events: Object.entries(rule.event_days)
      // Any kind comes last, as what holds for the rest.
      .sort(
        ([one], [other]) => Number(one === '*') - Number(other === '*') || (one < other ? -1 : 1),
      )
      .map(([kind, days]) => `${kind} ${plain(days)}`)
      .join(', '),
  };
}

export type RuleField = keyof RuleDraft;

/** The rule a draft describes, or the field that cannot be understood. */
export function ruleOf(draft: RuleDraft): RetentionRule | RuleField {
  const days = positive(draft.days);
  const gigabytes = positive(draft.gigabytes);
  const share = positive(draft.share);
  if (days === undefined) return 'days';
  if (gigabytes === undefined) return 'gigabytes';
  if (share === undefined || (share ?? 0) > 100) return 'share';
  const event_days: Record<string, number> = {};
  for (const part of draft.events.split(',')) {
    if (!part.trim()) continue;
    const found = /^\s*([a-z0-9-]{1,40}|\*)\s+([\d.]+)\s*$/.exec(part);
    const value = found && Number(found[2]);
    if (!found?.[1] || !value || !(value > 0)) return 'events';
    event_days[found[1]] = value;
  }
  return {
    days,
    max_bytes: gigabytes === null ? null : Math.round(gigabytes * 1e9),
    share: share === null ? null : share / 100,
    event_days,
  };
}

/** null: empty; undefined: not a number above 0. */
function positive(text: string): number | null | undefined {
  if (!text.trim()) return null;
  const value = Number(text.trim().replace(',', '.'));
  return Number.isFinite(value) && value > 0 ? value : undefined;
}
