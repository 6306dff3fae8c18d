/**
 * One door to the server: adds the access token, renews it once when it is refused, and turns
 * every failure into an ApiError that says what a person can do.
 *
 * The access token lives in memory only; the refresh token is a cookie scripts cannot read.
 */

import type { LoginAnswer } from './types';

const BASE = '/api/v1';
const TIMEOUT_MS = 15_000;

/** status 0: the server did not answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly problem: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail || `HTTP ${status}`);
    this.name = 'ApiError';
  }
}

export interface RequestOptions {
  body?: unknown;
  query?: Record<string, string | number | undefined>;
  signal?: AbortSignal;
  timeoutMs?: number;
  headers?: Record<string, string>;
  /** Let the request outlive the page. */
  keepalive?: boolean;
}

export interface ClientHooks {
  /** A new sign-in answer came (login or refresh). */
  onSession?: (answer: LoginAnswer) => void;
  /** The server refused the refresh cookie: a person must sign in again. */
  onSignedOut?: () => void;
  /** Told after every exchange: did the server answer? */
  onReachable?: (reachable: boolean) => void;
}

type FetchLike = (input: string, init?: RequestInit) => Promise<Response>;
type Locker = <T>(work: () => Promise<T>) => Promise<T>;

/** Tabs share one refresh cookie that changes at each use, so only one tab renews at a time. */
const acrossTabs: Locker = (work) =>
  typeof navigator !== 'undefined' && navigator.locks
    ? navigator.locks.request('vms-refresh', work)
    : work();

export class ApiClient {
  private token = '';
  private expiresAt = 0;
  private renewing: Promise<boolean> | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly hooks: ClientHooks = {},
    private readonly fetcher: FetchLike = (input, init) => fetch(input, init),
    private readonly lock: Locker = acrossTabs,
  ) {}

  /** The access token for sockets and streams; renewed first when it is about to end. */
  async freshToken(): Promise<string> {
    if (!this.token || Date.now() > this.expiresAt - 5_000) await this.refresh();
    return this.token;
  }

  async login(username: string, password: string): Promise<LoginAnswer> {
    const response = await this.send('POST', '/auth/login', { body: { username, password } });
    if (!response.ok) throw await toError(response);
    const answer = (await response.json()) as LoginAnswer;
    this.accept(answer);
    return answer;
  }

  async logout(): Promise<void> {
    try {
      await this.send('POST', '/auth/logout', {});
    } finally {
      this.forget();
    }
  }

  /** Renew the access token; false when the server says to sign in again. Single flight. */
  refresh(): Promise<boolean> {
    this.renewing ??= this.lock(() => this.renew()).finally(() => {
      this.renewing = undefined;
    });
    return this.renewing;
  }

  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.raw(method, path, options);
    if (response.status === 204) return undefined as T;
    return (await response.json()) as T;
  }

  /** Like `request`, but hands out the Response; throws ApiError unless it is 2xx. */
  async raw(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    let response = await this.send(method, path, options);
    if (response.status === 401) {
      const known = await this.refresh();
      if (known) response = await this.send(method, path, options);
    }
    if (!response.ok) throw await toError(response);
    return response;
  }

  get<T>(path: string, options?: RequestOptions): Promise<T> {
    return this.request<T>('GET', path, options);
  }

  private async renew(): Promise<boolean> {
    const response = await this.send('POST', '/auth/refresh', {});
    if (response.ok) {
      this.accept((await response.json()) as LoginAnswer);
      return true;
    }
    if (response.status === 401 || response.status === 403) {
      this.forget();
      this.hooks.onSignedOut?.();
      return false;
    }
    throw await toError(response);
  }

  private accept(answer: LoginAnswer): void {
    this.token = answer.access_token;
    this.expiresAt = Date.now() + answer.expires_in * 1000;
    clearTimeout(this.timer);
    const early = Math.max(5, answer.expires_in - Math.min(60, answer.expires_in * 0.2));
    this.timer = setTimeout(() => void this.refresh().catch(() => undefined), early * 1000);
    this.hooks.onSession?.(answer);
  }

  private forget(): void {
    this.token = '';
    this.expiresAt = 0;
    clearTimeout(this.timer);
  }

  private async send(method: string, path: string, options: RequestOptions): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json', ...options.headers };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const init: RequestInit = { method, headers, credentials: 'same-origin' };
    if (options.keepalive) init.keepalive = true;
    if (typeof options.body === 'string') init.body = options.body;
    else if (options.body !== undefined) {
      headers['Content-Type'] = 'application/json';
      init.body = JSON.stringify(options.body);
    }
    const limit = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
    init.signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
    try {
      const response = await this.fetcher(BASE + path + queryString(options.query), init);
      this.hooks.onReachable?.(response.status !== 502 && response.status !== 504);
      return response;
    } catch (error) {
      if (options.signal?.aborted) throw error;
      this.hooks.onReachable?.(false);
      throw new ApiError(0, limit.aborted ? 'timeout' : 'unreachable');
    }
  }
}

function queryString(query: RequestOptions['query']): string {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  if (pairs.length === 0) return '';
  return `?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)]))}`;
}

/** Read an RFC 9457 problem, or make do with what came. */
export async function toError(response: Response): Promise<ApiError> {
  let problem: Record<string, unknown> = {};
  try {
    const body: unknown = await response.json();
    if (body && typeof body === 'object') problem = body as Record<string, unknown>;
  } catch {
    // A proxy's HTML page or an empty body: the status says enough.
  }
  const detail = typeof problem.detail === 'string' ? problem.detail : '';
  const title = typeof problem.title === 'string' ? problem.title : '';
  return new ApiError(response.status, detail || title, problem);
}
