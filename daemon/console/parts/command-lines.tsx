/** The commands that do the same as an action, each with a button that copies it. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { addressOf } from '../address.ts';
import type { ApiCall } from '../talk/api-call.ts';
import { curlLine, rosterdLine } from '../talk/lines.ts';
import { signInState } from '../talk/session.ts';

const COPIED_MS = 2_000;

/** `own`: the line of a command of its own, in place of `rosterd call`. */
export function CommandLines({ call, own }: { readonly call: ApiCall; readonly own?: string }) {
  const session = signInState.value;
  const address = addressOf(location.href);
  return (
    <details class="lines">
      <summary>As a command</summary>
      <CommandLine name="curl" text={curlLine(address, session.kind === 'in' ? session.apiKey : '', call)} />
      <CommandLine name="rosterd" text={own ?? rosterdLine(address, call)} />
      <p class="hint">
        <code>ROSTERD_TOKEN=$(npx rosterd token --server)</code> makes the token for curl.
      </p>
    </details>
  );
}

/** A text to be copied, such as a command. `name`: what it is. */
export function CommandLine({ name, text }: { readonly name: string; readonly text: string }) {
  const said = useSignal('');
  useEffect(() => {
    if (said.value === '') return undefined;
    const timer = setTimeout(() => {
      said.value = '';
    }, COPIED_MS);
    return () => clearTimeout(timer);
  }, [said.value]);
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => {
        said.value = 'Copied.';
      },
      () => {
        said.value = 'The browser does not allow to copy: select the text.';
      },
    );
  };
  return (
    <div class="line">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable with the keyboard */}
      <section class="box" tabIndex={0} aria-label={name}>
        <code class="copied">{text}</code>
      </section>
      <button type="button" onClick={copy}>
        Copy<span class="hidden"> {name}</span>
      </button>
      <span class="hint" role="status">
        {said.value}
      </span>
    </div>
  );
}
