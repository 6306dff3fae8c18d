import { describe, expect, it, vi } from 'vitest';
import { ApiClient, ApiError } from './client';

const session = (token: string) => ({
  access_token: token,
  token_type: 'bearer',
  expires_in: 900,
  user: { id: '1', username: 'ana', role: 'operator', cameras: [] },
});

const json = (status: number, body: unknown) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } });

type Call = { method: string; path: string; auth: string | undefined };

function server(answers: (call: Call) => Response | Promise<Response>) {
  const calls: Call[] = [];
  const fetcher = vi.fn(async (input: string, init?: RequestInit) => {
    const headers = init?.headers as Record<string, string>;
    const call = { method: init?.method ?? 'GET', path: input, auth: headers.Authorization };
    calls.push(call);
    return answers(call);
  });
  return { calls, fetcher };
}

const direct = <T>(work: () => Promise<T>) => work();

describe('ApiClient', () => {
  it('renews a refused token once and repeats the request', async () => {
    const { calls, fetcher } = server((call) => {
      if (call.path.endsWith('/auth/refresh')) return json(200, session('new'));
      return call.auth === 'Bearer new' ? json(200, [1, 2]) : json(401, { detail: 'expired' });
    });
    const client = new ApiClient({}, fetcher, direct);
    expect(await client.get('/cameras')).toEqual([1, 2]);
    expect(calls.map((call) => call.path)).toEqual([
      '/api/v1/cameras',
      '/api/v1/auth/refresh',
      '/api/v1/cameras',
    ]);
  });

  it('renews once for many requests refused at the same time', async () => {
    const { calls, fetcher } = server(async (call) => {
      await Promise.resolve();
      if (call.path.endsWith('/auth/refresh')) return json(200, session('new'));
      return call.auth === 'Bearer new' ? json(200, {}) : json(401, {});
    });
    const client = new ApiClient({}, fetcher, direct);
    await Promise.all([client.get('/a'), client.get('/b'), client.get('/c')]);
    expect(calls.filter((call) => call.path.endsWith('/auth/refresh'))).toHaveLength(1);
  });

  it('says signed out when the refresh cookie is refused, and does not loop', async () => {
    const signedOut = vi.fn();
    const { calls, fetcher } = server(() => json(401, { detail: 'Sign in again.' }));
    const client = new ApiClient({ onSignedOut: signedOut }, fetcher, direct);
    await expect(client.get('/cameras')).rejects.toMatchObject({ status: 401 });
    expect(signedOut).toHaveBeenCalledOnce();
    expect(calls).toHaveLength(2);
  });

  it('keeps the session when the server fails while renewing', async () => {
    const signedOut = vi.fn();
    const { fetcher } = server((call) =>
      call.path.endsWith('/auth/refresh') ? json(503, { title: 'Busy' }) : json(401, {}),
    );
    const client = new ApiClient({ onSignedOut: signedOut }, fetcher, direct);
    await expect(client.get('/cameras')).rejects.toMatchObject({ status: 503, detail: 'Busy' });
    expect(signedOut).not.toHaveBeenCalled();
  });

  it('never renews for a wrong password', async () => {
    const { calls, fetcher } = server(() => json(401, { detail: 'Wrong user name or password.' }));
    const client = new ApiClient({}, fetcher, direct);
    await expect(client.login('ana', 'no')).rejects.toMatchObject({
      status: 401,
      detail: 'Wrong user name or password.',
    });
    expect(calls).toHaveLength(1);
  });

  it('reports an unreachable server as status 0', async () => {
    const reachable = vi.fn();
    const client = new ApiClient(
      { onReachable: reachable },
      () => Promise.reject(new TypeError('fetch failed')),
      direct,
    );
    const failure = await client.get('/cameras').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApiError);
    expect(failure).toMatchObject({ status: 0, detail: 'unreachable' });
    expect(reachable).toHaveBeenLastCalledWith(false);
  });

  it('reads a problem without a body', async () => {
    const client = new ApiClient({}, async () => new Response('<html>', { status: 502 }), direct);
    await expect(client.get('/cameras')).rejects.toMatchObject({ status: 502, detail: '' });
  });

  it('leaves undefined query values out', async () => {
    const { calls, fetcher } = server(() => json(200, {}));
    const client = new ApiClient({}, fetcher, direct);
    await client.get('/x', { query: { a: 1, b: undefined, c: 'd e' } });
    expect(calls[0]?.path).toBe('/api/v1/x?a=1&c=d+e');
  });
});
