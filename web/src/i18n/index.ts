/** Which language is spoken, and how a key, a number or a time is said in it. */

import { createSignal } from 'solid-js';
import { recall, remember } from '../state/prefs';
import { type Catalogue, en, type MessageKey } from './en';
import { ptBR } from './pt-BR';

export type Language = 'en' | 'pt-BR';
export type { MessageKey };

export const catalogues: Record<Language, Catalogue> = { en, 'pt-BR': ptBR };
export const languageNames: Record<Language, string> = { en: 'English', 'pt-BR': 'Português' };

const isLanguage = (value: string | undefined): value is Language =>
  value !== undefined && value in catalogues;

/** The best of our languages for what the browser prefers, in its order. */
export function pickLanguage(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    if (tag.toLowerCase().startsWith('pt')) return 'pt-BR';
    if (tag.toLowerCase().startsWith('en')) return 'en';
  }
  return 'en';
}

const remembered = recall('language');
const [language, apply] = createSignal<Language>(
  isLanguage(remembered) ? remembered : pickLanguage(navigator.languages ?? [navigator.language]),
);
document.documentElement.lang = language();

export { language };

export function setLanguage(next: Language): void {
  apply(next);
  remember('language', next);
  document.documentElement.lang = next;
}

type Values = Record<string, string | number>;

/** Say `key` in the present language; reading it inside JSX follows a change of language. */
export function t(key: MessageKey, values?: Values): string {
  return fill(catalogues[language()][key], values);
}

export function fill(text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

type PluralBase = MessageKey extends infer K
  ? K extends `${infer Base}_other`
    ? Base
    : never
  : never;

/** Like `t`, for keys that come as `_one` and `_other`; `{count}` is said in local digits. */
export function tn(base: PluralBase, count: number, values?: Values): string {
  const rule = new Intl.PluralRules(language()).select(count) === 'one' ? 'one' : 'other';
  return t(`${base}_${rule}` as MessageKey, { count: number(count), ...values });
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(language(), {
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
  }).format(value);
}

export function bits(perSecond: number): string {
  if (perSecond >= 1e6) return `${number(perSecond / 1e6, 1)} Mbit/s`;
  return `${number(perSecond / 1e3)} kbit/s`;
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${number(value, value < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}

/** 24-hour clock in every language: control rooms speak it. */
export function clock(ms: number, options: { seconds?: boolean; millis?: boolean } = {}): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  let text = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (options.seconds !== false) text += `:${two(date.getSeconds())}`;
  if (options.millis) text += `.${String(date.getMilliseconds()).padStart(3, '0')}`;
  return text;
}

export function day(ms: number, style: 'long' | 'short' = 'long'): string {
  return new Intl.DateTimeFormat(
    language(),
    style === 'long'
      ? { weekday: 'short', day: 'numeric', month: 'long', year: 'numeric' }
      : { day: 'numeric', month: 'short', year: 'numeric' },
  ).format(ms);
}

export function dateTime(ms: number): string {
  return `${day(ms, 'short')} ${clock(ms)}`;
}

/** '3 d 4 h', '12 min', '8 s': the two largest parts. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}
