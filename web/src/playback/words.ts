/** Kinds of events and causes of gaps in the reader's words; unknown ones speak for themselves. */

import { type MessageKey, t } from '../i18n';
import { en } from '../i18n/en';

const say = (key: string, plain: string): string => (key in en ? t(key as MessageKey) : plain);

export const kindWord = (kind: string): string =>
  say(`event.kind.${kind}`, kind.replaceAll('-', ' '));

export const causeWord = (cause: string): string => say(`gap.cause.${cause}`, cause);
