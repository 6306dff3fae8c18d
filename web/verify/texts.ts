// What the page says, in English and in Portuguese.

import type { Finding, What } from './check';

export type Language = 'en' | 'pt-BR';

const en = {
  title: 'Verify a case',
  lead: 'Find out whether exported video is as it was when it was exported. The check is made on this computer: nothing is sent anywhere, and no network is needed.',
  drop: 'Drop the ZIP of a case here, or the folder it was unpacked to',
  pickZip: 'Choose a ZIP',
  pickFolder: 'Choose a folder',
  working: 'Checking {name}',
  cancel: 'Cancel',
  again: 'Check another case',
  failed: 'The case could not be read to its end: {reason}',
  sound: 'Nothing was changed',
  soundText: 'Every file is as it was signed. Compare the key below before you rely on it.',
  soundKeyText: 'Every file is as it was signed, by the key that you gave.',
  broken: 'This case is not as it was exported',
  brokenText: 'What was found:',
  capped: 'There is more than is listed here.',
  key: 'Signed with the key',
  keyNone: 'No key: the signature is not whole.',
  keyHelp:
    'Compare it with the fingerprint that whoever exported the case published, or tells you on another way than the case came.',
  keyField: 'Fingerprint you were told',
  keySame: 'It is the same key.',
  keyOther: 'It is another key.',
  keyBad: 'That is no fingerprint: it has 64 hexadecimal digits.',
  about: 'What the case says of itself',
  aboutUnsigned: 'The case says this of itself, but its signature is not whole: do not rely on it.',
  by: 'Exported by',
  when: 'Exported',
  why: 'Reason',
  whyNone: 'none given',
  span: 'Span asked for',
  cameras: 'Cameras',
  number: 'Number',
  clock: 'Clock of the server',
  problems: 'Problems during the export',
  missing: 'Not recorded',
  files: 'Files of footage',
  proven: 'as recorded, tied to the recording by its hashes',
  signedOnly: 'as exported; encoded or packed anew, so that nothing ties it to the recording',
  notSound: 'not as exported',
  utc: 'UTC',
  local: 'here',
  whole: 'the whole case',
  note: 'Take this page from the system that exported the case, or from its makers: whoever changes a case can also change the page in it.',
};

export type Key = keyof typeof en;

const ptBR: Record<Key, string> = {
  title: 'Verificar um caso',
  lead: 'Descubra se o vídeo exportado está como quando foi exportado. A verificação é feita neste computador: nada é enviado e não é preciso rede.',
  drop: 'Solte aqui o ZIP de um caso, ou a pasta em que ele foi descompactado',
  pickZip: 'Escolher um ZIP',
  pickFolder: 'Escolher uma pasta',
  working: 'Verificando {name}',
  cancel: 'Cancelar',
  again: 'Verificar outro caso',
  failed: 'Não foi possível ler o caso até o fim: {reason}',
  sound: 'Nada foi alterado',
  soundText:
    'Todos os arquivos estão como foram assinados. Compare a chave abaixo antes de confiar neles.',
  soundKeyText: 'Todos os arquivos estão como foram assinados, pela chave que você informou.',
  broken: 'Este caso não está como foi exportado',
  brokenText: 'O que foi encontrado:',
  capped: 'Há mais do que está listado aqui.',
  key: 'Assinado com a chave',
  keyNone: 'Nenhuma chave: a assinatura não está íntegra.',
  keyHelp:
    'Compare com a impressão digital publicada por quem exportou o caso, ou informada por outro meio que não aquele pelo qual o caso chegou.',
  keyField: 'Impressão digital que lhe informaram',
  keySame: 'É a mesma chave.',
  keyOther: 'É outra chave.',
  keyBad: 'Isso não é uma impressão digital: ela tem 64 dígitos hexadecimais.',
  about: 'O que o caso diz de si',
  aboutUnsigned:
    'O caso diz isto de si, mas a assinatura dele não está íntegra: não confie no que segue.',
  by: 'Exportado por',
  when: 'Exportado em',
  why: 'Motivo',
  whyNone: 'nenhum informado',
  span: 'Período pedido',
  cameras: 'Câmeras',
  number: 'Número',
  clock: 'Relógio do servidor',
  problems: 'Problemas durante a exportação',
  missing: 'Sem gravação',
  files: 'Arquivos de vídeo',
  proven: 'como gravado, ligado à gravação pelos hashes dela',
  signedOnly: 'como exportado; codificado ou empacotado de novo, por isso nada o liga à gravação',
  notSound: 'não está como exportado',
  utc: 'UTC',
  local: 'aqui',
  whole: 'o caso inteiro',
  note: 'Obtenha esta página do sistema que exportou o caso, ou de quem o faz: quem altera um caso também pode alterar a página dentro dele.',
};

const catalogues: Record<Language, Record<Key, string>> = { en, 'pt-BR': ptBR };

export function say(language: Language, key: Key, values: Record<string, string> = {}): string {
  return catalogues[language][key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** The best of our languages for what the browser prefers, in its order. */
export function pickLanguage(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    if (tag.toLowerCase().startsWith('pt')) return 'pt-BR';
    if (tag.toLowerCase().startsWith('en')) return 'en';
  }
  return 'en';
}

const kinds: Record<Language, Record<What, string>> = {
  en: {
    unreadable: 'Unreadable',
    container: 'ZIP changed',
    signature: 'Signature',
    key: 'Another key',
    altered: 'Altered',
    missing: 'Missing',
    added: 'Added',
    chain: 'Not as recorded',
  },
  'pt-BR': {
    unreadable: 'Ilegível',
    container: 'ZIP alterado',
    signature: 'Assinatura',
    key: 'Outra chave',
    altered: 'Alterado',
    missing: 'Ausente',
    added: 'Acrescentado',
    chain: 'Não como gravado',
  },
};

export function kindOf(language: Language, what: What): string {
  return kinds[language][what];
}

/** Sentences of the check in Portuguese; other details of it stay in English, behind the kind. */
const sentences: readonly (readonly [RegExp, string])[] = [
  [/^its bytes were changed$/, 'os bytes dele foram alterados'],
  [
    /^its bytes were changed; where, nothing is left to tell$/,
    'os bytes dele foram alterados; onde, nada restou que o diga',
  ],
  [/^bytes (\d+) to (\d+) were changed$/, 'os bytes $1 a $2 foram alterados'],
  [/^bytes were added to its end$/, 'bytes foram acrescentados ao final dele'],
  [/^it is missing$/, 'está ausente'],
  [/^(.*) is missing$/, '$1 está ausente'],
  [/^it is not part of the case$/, 'não faz parte do caso'],
  [/^the manifest is not as it was signed$/, 'o manifesto não está como foi assinado'],
  [/^manifest\.sig was changed$/, 'o manifest.sig foi alterado'],
  [/^manifest\.sig cannot be read$/, 'não é possível ler o manifest.sig'],
  [/^manifest\.json is not JSON$/, 'o manifest.json não é JSON'],
  [/^manifest\.json is not that of a case$/, 'o manifest.json não é o de um caso'],
  [/^it was signed by another key: (.*)$/, 'foi assinado por outra chave: $1'],
  [
    /^the ZIP's own headers are not as they were written$/,
    'os cabeçalhos do próprio ZIP não estão como foram escritos',
  ],
  [
    /^the ZIP's check sum of (.*) is not as it was written$/,
    'a soma de verificação de $1 no ZIP não está como foi escrita',
  ],
  [
    /^it does not end as the ZIP of a case does$/,
    'não termina como o ZIP de um caso: foi cortado, ou não é um',
  ],
  [/^its recording's index is not whole: .*$/, 'o índice da gravação dele não está íntegro'],
  [
    /^its recording's index is not the one that was kept$/,
    'o índice da gravação dele não é o que foi guardado',
  ],
  [
    /^its recording's index has no such group of pictures$/,
    'o índice da gravação dele não tem esse grupo de imagens',
  ],
  [
    /^its recording's index gives it another time$/,
    'o índice da gravação dele dá outro horário a esse trecho',
  ],
  [/^it is not what was recorded$/, 'não é o que foi gravado'],
];

export function describe(language: Language, finding: Finding): string {
  if (language === 'en') return finding.text;
  for (const [pattern, text] of sentences) {
    if (pattern.test(finding.text)) return finding.text.replace(pattern, text);
  }
  return `detalhe técnico, em inglês: ${finding.text}`;
}
