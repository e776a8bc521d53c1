/** Texts that others wrote: shown as they are, and kept to themselves. A name may turn the writing direction or be ten thousand characters long. */
import type { ComponentChildren } from 'preact';
import { visibleJson } from './visible-json.ts';

/** A short text within a line: long ones are cut off. */
export function Its({ text }: { readonly text: string }) {
  return (
    <bdi class="its" title={text.length > 40 ? text.slice(0, 400) : undefined}>
      {text === '' ? '(empty)' : text}
    </bdi>
  );
}

/** A value of any size, as JSON, which scrolls by itself. */
export function ItsValue({ value, label }: { readonly value: unknown; readonly label: string }) {
  if (value === undefined || value === null) return <span class="none">none</span>;
  const text = visibleJson(value);
  if (text.length <= 80 && !text.includes('\n')) return <bdi class="its-value">{text}</bdi>;
  return <ScrolledText text={text} label={label} />;
}

/** Long text in a box. It can be reached and scrolled with the keyboard. */
export function ScrolledText({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable with the keyboard
    <section class="box" tabIndex={0} aria-label={label}>
      <pre>
        <bdi>{text}</bdi>
      </pre>
    </section>
  );
}

/** `at`: nanoseconds since 1970, or an RFC 3339 text. */
export function Instant({ at }: { readonly at: number | string | undefined }) {
  if (at === undefined) return <span class="none">never</span>;
  const date = new Date(typeof at === 'number' ? at / 1e6 : at);
  if (Number.isNaN(date.getTime())) return <bdi>{String(at)}</bdi>;
  const iso = date.toISOString();
  return <time dateTime={iso}>{iso.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time>;
}

export function Badges({ states }: { readonly states: readonly string[] }) {
  return (
    <>
      {states.map((state) => (
        <span key={state} class={`badge ${state}`}>
          {state}
        </span>
      ))}
    </>
  );
}

export function Callout({ kind, children }: { readonly kind: 'error' | 'good' | 'hint'; readonly children: ComponentChildren }) {
  return (
    <p class={`notice ${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      {children}
    </p>
  );
}

/** What was done, once something was. It is there before, so that a screen reader notices. */
export function DoneText({ text }: { readonly text: string }) {
  return (
    <p role="status" class={text === '' ? '' : 'notice good'}>
      {text}
    </p>
  );
}

/** A field before and after a change. */
export function FieldChange({ field, was, is }: { readonly field: string; readonly was: unknown; readonly is: unknown }) {
  return (
    <div>
      <dt>
        <Its text={field} />
      </dt>
      <dd class="was">
        <span class="hint">before</span> <ItsValue value={was} label={`${field} before`} />
      </dd>
      <dd class="is">
        <span class="hint">after</span> <ItsValue value={is} label={`${field} after`} />
      </dd>
    </div>
  );
}
