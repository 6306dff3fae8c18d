/** Links to the parts of one page, side by side. */

import { For } from 'solid-js';
import { Link, path } from '../app/router';

export function Tabs(props: { tabs: readonly { href: string; label: string }[] }) {
  return (
    <nav class="tabs">
      <For each={props.tabs}>
        {(tab) => (
          <Link href={tab.href} aria-current={path() === tab.href ? 'page' : undefined}>
            {tab.label}
          </Link>
        )}
      </For>
    </nav>
  );
}
