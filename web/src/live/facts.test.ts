import { describe, expect, it } from 'vitest';
import { setLanguage } from '../i18n';
import { chooseProfiles, clockWords, codecLabel, idFromName } from './facts';

const profile = (codec: string, width: number, height: number) => ({ codec, width, height });

describe('chooseProfiles', () => {
  it('takes the largest as main and a small H.264 one as sub', () => {
    const large = profile('H265', 2560, 1440);
    const middle = profile('H264', 1280, 720);
    const small = profile('H264', 640, 360);
    const tiny = profile('H264', 160, 90);
    expect(chooseProfiles([small, large, tiny, middle])).toEqual({ main: large, sub: small });
  });

  it('prefers H.264 over a smaller H.265 as sub', () => {
    const large = profile('h265', 1920, 1080);
    const h264 = profile('h264', 1280, 720);
    expect(chooseProfiles([large, h264, profile('h265', 640, 360)]).sub).toBe(h264);
  });

  it('takes an H.264 twin of an H.265 main as sub', () => {
    const main = profile('h265', 1920, 1080);
    const twin = profile('h264', 1920, 1080);
    expect(chooseProfiles([main, twin])).toEqual({ main, sub: twin });
  });

  it('makes do with one profile or none', () => {
    const only = profile('h264', 1920, 1080);
    expect(chooseProfiles([only])).toEqual({ main: only, sub: undefined });
    expect(chooseProfiles([])).toEqual({ main: undefined, sub: undefined });
  });
});

describe('words', () => {
  it('makes an id of any name', () => {
    expect(idFromName('Café, porta 2')).toBe('cafe-porta-2');
    expect(idFromName('  --Ação!! ')).toBe('acao');
    expect(idFromName('門')).toBe('');
    expect(idFromName('x'.repeat(60))).toHaveLength(40);
    expect(idFromName(`${'x'.repeat(39)} y`)).toBe('x'.repeat(39));
  });

  it('says how clocks differ', () => {
    setLanguage('en');
    expect(clockWords(null)).toBe('Unknown');
    expect(clockWords(0.2)).toBe('In step');
    expect(clockWords(-12.4)).toBe('12 ms behind');
    expect(clockWords(3_600_000)).toBe('3,600 s ahead');
    expect(clockWords(1500)).toBe('1.5 s ahead');
  });

  it('names codecs as people write them', () => {
    expect(['h264', 'h265', 'aac', 'pcmu'].map(codecLabel)).toEqual([
      'H.264',
      'H.265',
      'AAC',
      'PCMU',
    ]);
  });
});
