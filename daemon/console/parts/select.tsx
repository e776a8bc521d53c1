/** A field that takes one of some values. */
import type { ComponentChildren } from 'preact';

export interface SelectProps<Value extends string> {
  readonly label: ComponentChildren;
  readonly value: Value | undefined;
  /** Each value with its text, in order. */
  readonly choices: readonly (readonly [value: Value, text: string])[];
  readonly isNarrow?: boolean;
  readonly onChange: (value: Value) => void;
}

export function Select<Value extends string>({ label, value, choices, isNarrow = false, onChange }: SelectProps<Value>) {
  return (
    <label class={isNarrow ? 'narrow' : undefined}>
      {label}
      <select
        value={value}
        onChange={(event) => {
          const chosen = choices.find(([one]) => one === event.currentTarget.value);
          if (chosen !== undefined) onChange(chosen[0]);
        }}
      >
        {choices.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Values that are their own texts. */
export function asTexts<Value extends string>(values: readonly Value[]): readonly (readonly [Value, string])[] {
  return values.map((value) => [value, value] as const);
}
