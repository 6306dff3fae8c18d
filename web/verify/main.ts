// The page that verifies a case, without a network: hand it a case, and it says what is wrong.

import './style.css';
import { verify } from './check';
import { fromDrop, fromFolder, fromZip, type Handed } from './intake';
import { aboutSection, element, type Judged, keyOf, verdictOf } from './page';
import { type Language, pickLanguage, say } from './texts';

type State =
  | { readonly at: 'idle' }
  | { readonly at: 'working'; readonly name: string; readonly bar: HTMLProgressElement }
  | { readonly at: 'failed'; readonly reason: string }
  | { readonly at: 'done'; readonly judged: Judged };

class Cancelled extends Error {}

let language: Language = pickLanguage(navigator.languages);
let state: State = { at: 'idle' };
let typed = '';
let round = 0;

const page = document.querySelector('#page');

function show(next: State): void {
  state = next;
  document.documentElement.lang = language;
  document.title = say(language, 'title');
  page?.replaceChildren(head(), ...body(), foot());
}

function head(): HTMLElement {
  const names: [Language, string][] = [
    ['en', 'English'],
    ['pt-BR', 'Português'],
  ];
  const choices = names.map(([code, name]) => {
    const button = element(
      'button',
      { type: 'button', lang: code, 'aria-pressed': String(code === language) },
      name,
    );
    button.addEventListener('click', () => {
      language = code;
      show(state);
    });
    return button;
  });
  return element(
    'header',
    {},
    element(
      'div',
      {},
      element('h1', {}, say(language, 'title')),
      element('p', { class: 'soft' }, say(language, 'lead')),
    ),
    element('nav', {}, ...choices),
  );
}

function body(): HTMLElement[] {
  if (state.at === 'working') return [working(state.name, state.bar)];
  if (state.at === 'failed') {
    const text = say(language, 'failed', { reason: state.reason });
    return [element('section', { class: 'banner bad', role: 'alert' }, text), intake()];
  }
  if (state.at === 'idle') return [intake()];
  const { judged } = state;
  const verdict = element('div', {}, ...verdictOf(language, judged, typed));
  const key = keyOf(language, judged.verdict, typed, (now) => {
    typed = now;
    verdict.replaceChildren(...verdictOf(language, judged, typed));
  });
  const about = aboutSection(language, judged.verdict);
  const again = element('button', { type: 'button', class: 'again' }, say(language, 'again'));
  again.addEventListener('click', () => show({ at: 'idle' }));
  return [verdict, key, ...(about ? [about] : []), again];
}

function working(name: string, bar: HTMLProgressElement): HTMLElement {
  const cancel = element('button', { type: 'button' }, say(language, 'cancel'));
  cancel.addEventListener('click', () => {
    round += 1;
    show({ at: 'idle' });
  });
  const text = say(language, 'working', { name });
  return element(
    'section',
    { class: 'working' },
    element('p', { role: 'status' }, text),
    bar,
    cancel,
  );
}

function intake(): HTMLElement {
  return element(
    'section',
    { class: 'intake' },
    element('p', {}, say(language, 'drop')),
    element(
      'div',
      { class: 'choices' },
      picker('zip', { accept: '.zip,application/zip' }, say(language, 'pickZip'), (files) => {
        const [file] = files;
        return file ? fromZip(file) : null;
      }),
      picker('folder', { webkitdirectory: '' }, say(language, 'pickFolder'), (files) =>
        files.length ? fromFolder(files) : null,
      ),
    ),
  );
}

function picker(
  id: string,
  attributes: Readonly<Record<string, string>>,
  label: string,
  hand: (files: readonly File[]) => Handed | null,
): HTMLElement {
  const input = element('input', { id, type: 'file', ...attributes });
  input.addEventListener('change', () => {
    const handed = hand([...(input.files ?? [])]);
    if (handed) void judge(handed);
  });
  return element('label', { class: 'pick', for: id }, input, label);
}

function foot(): HTMLElement {
  return element('footer', { class: 'soft' }, say(language, 'note'));
}

async function judge(handed: Handed): Promise<void> {
  round += 1;
  const mine = round;
  const bar = element('progress', { max: '1', value: '0' });
  show({ at: 'working', name: handed.name, bar });
  try {
    const verdict = await verify(
      () => handed.open(),
      '',
      (done, all) => {
        if (mine !== round) throw new Cancelled();
        bar.value = all ? done / all : 1;
      },
    );
    if (mine === round) show({ at: 'done', judged: { name: handed.name, verdict } });
  } catch (error) {
    if (mine === round) show({ at: 'failed', reason: String(error).slice(0, 300) });
  }
}

addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.add('over');
});
addEventListener('dragleave', (event) => {
  if (event.relatedTarget === null) document.body.classList.remove('over');
});
addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('over');
  const dropped = event.dataTransfer && fromDrop(event.dataTransfer);
  if (!dropped) return;
  dropped.then(judge, (error: unknown) =>
    show({ at: 'failed', reason: String(error).slice(0, 300) }),
  );
});

show(state);
