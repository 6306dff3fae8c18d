/** A small router over the History API: paths with `:name` parts, and links that stay in the page. */

import { createSignal, type JSX, splitProps } from 'solid-js';

const [location, setLocation] = createSignal(read(), { equals: false });

function read(): { path: string; query: URLSearchParams } {
  return {
    path: window.location.pathname,
    query: new URLSearchParams(window.location.search),
  };
}

window.addEventListener('popstate', () => setLocation(read()));

export const path = (): string => location().path;
export const query = (): URLSearchParams => location().query;

export function navigate(to: string, options: { replace?: boolean } = {}): void {
  if (options.replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  setLocation(read());
}

/** The named parts of `current` when it fits `pattern` ('/cameras/:id'), else undefined. */
export function match(pattern: string, current: string): Record<string, string> | undefined {
  const want = pattern.split('/').filter(Boolean);
  const have = current.split('/').filter(Boolean);
  if (want.length !== have.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, part] of want.entries()) {
    const value = have[index] ?? '';
    if (part.startsWith(':')) found[part.slice(1)] = safeDecode(value);
    else if (part !== value) return undefined;
  }
  return found;
}

function safeDecode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

export function Link(props: JSX.AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const [own, rest] = splitProps(props, ['href', 'onClick']);
  const follow: JSX.EventHandler<HTMLAnchorElement, MouseEvent> = (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(own.href);
  };
  return <a href={own.href} onClick={follow} {...rest} />;
}
