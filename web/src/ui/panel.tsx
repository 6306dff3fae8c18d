import { type JSX, Show } from 'solid-js';

/** A titled box. `tools` stand at the right of the title. */
export function Panel(props: { title: string; tools?: JSX.Element; children: JSX.Element }) {
  return (
    <section class="panel">
      <div class="panel-head">
        <h2 class="grow">{props.title}</h2>
        <Show when={props.tools}>{props.tools}</Show>
      </div>
      <div class="panel-body stack">{props.children}</div>
    </section>
  );
}
