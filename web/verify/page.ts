// The page's parts, made of plain elements: what a case says is only ever set as text.

import { type About, aboutOf, type Span } from './about';
import { type Finding, MAX_FINDINGS, type Verdict } from './check';
import { plainFingerprint } from './signing';
import { describe, type Key, kindOf, type Language, say } from './texts';

type Child = Node | string | null;

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const child of children) if (child !== null) made.append(child);
  return made;
}

/** A fingerprint as it is read aloud: in groups of eight digits. */
export function grouped(fingerprint: string): string {
  return fingerprint.match(/.{1,8}/g)?.join(' ') ?? '';
}

const DATE = { year: 'numeric', month: 'short', day: 'numeric' } as const;
const TIME = {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
} as const;
// What a Date can show.
const MOST_MS = 8.64e15;

/** A moment, or a span; the day of its end is said only where it is another. */
function said(language: Language, zone: string, startMs: number, endMs: number | null): string {
  if (Math.max(Math.abs(startMs), Math.abs(endMs ?? 0)) > MOST_MS) return `${startMs} – ${endMs}`;
  const date = new Intl.DateTimeFormat(language, { ...DATE, timeZone: zone });
  const time = new Intl.DateTimeFormat(language, { ...TIME, timeZone: zone });
  const start = `${date.format(startMs)}, ${time.format(startMs)}`;
  if (endMs === null) return start;
  const sameDay = date.format(startMs) === date.format(endMs);
  return `${start} – ${sameDay ? '' : `${date.format(endMs)}, `}${time.format(endMs)}`;
}

/** A moment or a span in UTC, and in the zone of whoever reads it where that is another. */
function times(language: Language, startMs: number, endMs: number | null): HTMLElement {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const utc = said(language, 'UTC', startMs, endMs);
  const here = said(language, zone, startMs, endMs);
  return element(
    'span',
    { class: 'times' },
    element('span', {}, `${utc} ${say(language, 'utc')}`),
    here === utc ? null : element('small', {}, `${here} (${say(language, 'local')})`),
  );
}

export interface Judged {
  readonly name: string;
  readonly verdict: Verdict;
}

/** The verdict. `typed` is the fingerprint that was told to whoever asks, as they wrote it. */
export function verdictOf(language: Language, judged: Judged, typed: string): HTMLElement[] {
  const { verdict } = judged;
  const wanted = plainFingerprint(typed);
  const other =
    wanted !== undefined && verdict.fingerprint !== '' && verdict.fingerprint !== wanted;
  const sound = verdict.ok && !other;
  const text: Key = !sound ? 'brokenText' : wanted ? 'soundKeyText' : 'soundText';
  const banner = element(
    'section',
    {
      class: `banner ${sound ? 'ok' : 'bad'}`,
      role: 'status',
      'data-verdict': sound ? 'ok' : 'bad',
    },
    element('span', { class: 'mark', 'aria-hidden': 'true' }, sound ? '✓' : '✕'),
    element(
      'div',
      {},
      element('h2', {}, say(language, sound ? 'sound' : 'broken')),
      element('p', { class: 'name' }, judged.name),
      element('p', {}, say(language, text)),
    ),
  );
  const findings = [...verdict.findings];
  if (other) findings.push(otherKey(verdict.fingerprint));
  return [banner, ...(findings.length ? [listOf(language, findings)] : [])];
}

function otherKey(fingerprint: string): Finding {
  const text = `it was signed by another key: ${fingerprint}`;
  return { what: 'key', path: 'manifest.sig', startMs: null, endMs: null, text };
}

function listOf(language: Language, findings: readonly Finding[]): HTMLElement {
  const rows = findings.map((finding) =>
    element(
      'li',
      {
        'data-what': finding.what,
        'data-path': finding.path,
        'data-start': String(finding.startMs ?? ''),
        'data-end': String(finding.endMs ?? ''),
      },
      element('strong', {}, kindOf(language, finding.what)),
      element('code', {}, finding.path || say(language, 'whole')),
      element('span', {}, describe(language, finding)),
      finding.startMs === null ? null : times(language, finding.startMs, finding.endMs),
    ),
  );
  const capped = findings.length >= MAX_FINDINGS;
  return element(
    'section',
    {},
    element('ul', { class: 'findings' }, ...rows),
    capped ? element('p', {}, say(language, 'capped')) : null,
  );
}

/** The key, and a field for the fingerprint to compare it with; `changed` is told of it. */
export function keyOf(
  language: Language,
  verdict: Verdict,
  typed: string,
  changed: (typed: string) => void,
): HTMLElement {
  const field = element('input', {
    id: 'told',
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: '200',
  });
  field.value = typed;
  const answer = element('p', { class: 'answer', role: 'status' });
  const compare = () => {
    const wanted = plainFingerprint(field.value);
    const key = !wanted ? 'keyBad' : wanted === verdict.fingerprint ? 'keySame' : 'keyOther';
    answer.textContent = field.value.trim() ? say(language, key) : '';
    answer.dataset.key = field.value.trim() ? key : '';
  };
  compare();
  field.addEventListener('input', () => {
    compare();
    changed(field.value);
  });
  const known = verdict.fingerprint;
  return element(
    'section',
    { class: 'key' },
    element('h3', {}, say(language, 'key')),
    element('p', { class: 'print' }, known ? grouped(known) : say(language, 'keyNone')),
    ...(known
      ? [
          element('p', { class: 'soft' }, say(language, 'keyHelp')),
          element('label', { for: 'told' }, say(language, 'keyField')),
          field,
          answer,
        ]
      : []),
  );
}

/** What the case says of itself. */
export function aboutSection(language: Language, verdict: Verdict): HTMLElement | null {
  if (!verdict.manifest) return null;
  const about = aboutOf(verdict.manifest);
  return element(
    'section',
    {},
    element('h3', {}, say(language, 'about')),
    verdict.fingerprint
      ? null
      : element('p', { class: 'bad', role: 'alert' }, say(language, 'aboutUnsigned')),
    facts(language, about),
    files(language, verdict),
  );
}

function facts(language: Language, about: About): HTMLElement {
  const rows: [Key, Child][] = [
    ['by', about.by],
    ['when', about.madeMs === null ? null : times(language, about.madeMs, null)],
    ['why', about.reason || say(language, 'whyNone')],
    ['span', about.asked && times(language, about.asked.startMs, about.asked.endMs)],
    ['cameras', about.cameras.map((one) => one.name || one.id).join(', ')],
    ['number', about.id],
    ['clock', about.clock],
    ['problems', about.problems.length ? lines(about.problems) : null],
    ['missing', missing(language, about)],
  ];
  return element(
    'dl',
    {},
    ...rows.flatMap(([key, child]) =>
      child ? [element('dt', {}, say(language, key)), element('dd', {}, child)] : [],
    ),
  );
}

function lines(texts: readonly (string | HTMLElement)[]): HTMLElement {
  return element('ul', {}, ...texts.map((text) => element('li', {}, text)));
}

function missing(language: Language, about: About): HTMLElement | null {
  const spans: [string, Span][] = about.cameras.flatMap((camera) =>
    camera.missing.map((span): [string, Span] => [camera.name || camera.id, span]),
  );
  if (!spans.length) return null;
  return lines(
    spans.map(([name, span]) =>
      element('span', {}, `${name}: `, times(language, span.startMs, span.endMs)),
    ),
  );
}

function files(language: Language, verdict: Verdict): HTMLElement {
  const wrong = new Set(verdict.findings.map((finding) => finding.path));
  const unproven = new Set(verdict.unproven);
  const said = (path: string): Key =>
    wrong.has(path) ? 'notSound' : unproven.has(path) ? 'signedOnly' : 'proven';
  const media = (verdict.manifest?.media ?? []).slice(0, MAX_FINDINGS);
  return element(
    'section',
    {},
    element('h3', {}, say(language, 'files')),
    element(
      'ul',
      { class: 'files' },
      ...media.map((one) =>
        element(
          'li',
          { 'data-file': one.path, 'data-state': said(one.path) },
          element('code', {}, one.path),
          times(language, one.startMs, one.endMs),
          element('small', {}, say(language, said(one.path))),
        ),
      ),
    ),
  );
}
