import { describe, expect, it } from 'vitest';
import { en } from './en';
import { bits, bytes, catalogues, fill, pickLanguage, setLanguage, span, t, tn } from './index';

const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort();

describe('catalogues', () => {
  for (const [name, catalogue] of Object.entries(catalogues)) {
    it(`${name} has exactly the keys of English, none empty`, () => {
      expect(Object.keys(catalogue).sort()).toEqual(Object.keys(en).sort());
      for (const [key, text] of Object.entries(catalogue)) expect(text.trim(), key).not.toBe('');
    });

    it(`${name} fills the same holes as English`, () => {
      for (const [key, text] of Object.entries(en)) {
        expect(holes(catalogue[key as keyof typeof en]), key).toEqual(holes(text));
      }
    });
  }

  it('has both forms of every plural', () => {
    const bases = Object.keys(en).filter((key) => key.endsWith('_other'));
    for (const key of bases) expect(en).toHaveProperty([key.replace('_other', '_one')]);
  });
});

describe('language', () => {
  it('follows the browser in its order', () => {
    expect(pickLanguage(['fr', 'pt-PT', 'en'])).toBe('pt-BR');
    expect(pickLanguage(['en-GB', 'pt-BR'])).toBe('en');
    expect(pickLanguage(['ja'])).toBe('en');
  });

  it('switches what t says and what the page declares', () => {
    setLanguage('pt-BR');
    expect(t('nav.live')).toBe('Ao vivo');
    expect(document.documentElement.lang).toBe('pt-BR');
    expect(tn('cameras.count', 1)).toBe('1 câmera');
    expect(tn('cameras.count', 1200)).toBe('1.200 câmeras');
    expect(bits(4_200_000)).toBe('4,2 Mbit/s');
    setLanguage('en');
    expect(tn('cameras.count', 2)).toBe('2 cameras');
  });

  it('fills what it knows and leaves the rest', () => {
    expect(fill('{a} and {b}', { a: 1 })).toBe('1 and {b}');
  });

  it('says sizes and spans', () => {
    expect(bytes(0)).toBe('0 B');
    expect(bytes(1_500_000)).toBe('1.5 MB');
    expect(bytes(64_000_000_000)).toBe('64 GB');
    expect(bits(320_000)).toBe('320 kbit/s');
    expect(span(0)).toBe('0 s');
    expect(span(61_000)).toBe('1 min 1 s');
    expect(span(3 * 86_400_000)).toBe('3 d');
    expect(span(90_061_000)).toBe('1 d 1 h');
  });
});
