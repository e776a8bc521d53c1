/** A field for one line of text. */
import { useId } from 'preact/hooks';

export interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  /** What is typed narrows a list down. */
  readonly isSearch?: boolean;
  /** The keys that a screen offers. */
  readonly keys?: 'text' | 'numeric' | 'decimal';
  readonly maxLength?: number;
  readonly hint?: string;
  readonly onInput: (value: string) => void;
}

export function TextField({ label, value, isSearch = false, keys = 'text', maxLength, hint = '', onInput }: TextFieldProps) {
  const id = useId();
  const shared = {
    ...{ id, inputMode: keys, autoComplete: 'off', spellcheck: false, maxLength, value },
    onInput: (event: { readonly currentTarget: HTMLInputElement }) => onInput(event.currentTarget.value),
  } as const;
  return (
    <label class={isSearch ? 'wide' : undefined} htmlFor={id}>
      {label}
      {isSearch ? <input type="search" {...shared} /> : <input type="text" {...shared} />}
      {hint === '' ? null : <span class="hint">{hint}</span>}
    </label>
  );
}
