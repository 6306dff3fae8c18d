import { describe, expect, it } from 'vitest';
import { draftOfRule, emptyRule, ruleOf } from './rules';

describe('rules of retention', () => {
  it('come back as they were', () => {
    const rule = {
      days: 7.5,
      max_bytes: 120_000_000_000,
      share: 0.25,
      event_days: { '*': 60, person: 90, 'lane-2': 3.25 },
    };
    expect(ruleOf(draftOfRule(rule))).toEqual(rule);
    expect(ruleOf(draftOfRule(emptyRule))).toEqual(emptyRule);
    expect(draftOfRule(rule).events).toBe('lane-2 3.25, person 90, * 60');
  });

  it('take a comma for a point, and a share up to all', () => {
    const draft = draftOfRule(emptyRule);
    expect(ruleOf({ ...draft, days: ' 2,5 ', share: '100' })).toMatchObject({
      days: 2.5,
      share: 1,
    });
  });

  it('name the field that cannot be understood', () => {
    const draft = draftOfRule(emptyRule);
    for (const days of ['soon', '0', '-3', '1e999'])
      expect(ruleOf({ ...draft, days })).toBe('days');
    expect(ruleOf({ ...draft, gigabytes: 'all' })).toBe('gigabytes');
    expect(ruleOf({ ...draft, share: '101' })).toBe('share');
    for (const events of ['person', 'Person 3', 'person 0', 'a b 3', 'person 1.2.3']) {
      expect(ruleOf({ ...draft, events }), events).toBe('events');
    }
  });
});
