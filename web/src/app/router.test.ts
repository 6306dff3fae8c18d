import { describe, expect, it } from 'vitest';
import { match, navigate, path, query } from './router';

describe('router', () => {
  it('matches named parts', () => {
    expect(match('/', '/')).toEqual({});
    expect(match('/cameras/:id', '/cameras/front')).toEqual({ id: 'front' });
    expect(match('/cameras/:id', '/cameras/a%20b/')).toEqual({ id: 'a b' });
    expect(match('/cameras/:id', '/cameras/%zz')).toEqual({ id: '%zz' });
    expect(match('/cameras/:id', '/cameras')).toBeUndefined();
    expect(match('/cameras', '/users')).toBeUndefined();
  });

  it('follows navigation', () => {
    navigate('/playback/a?day=2026-11-23');
    expect(path()).toBe('/playback/a');
    expect(query().get('day')).toBe('2026-11-23');
  });
});
