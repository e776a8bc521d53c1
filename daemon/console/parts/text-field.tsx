/** A field for one line of text. */
export interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  readonly isNumber?: boolean;
  readonly onInput: (value: string) => void;
}

export function TextField({ label, value, isNumber = false, onInput }: TextFieldProps) {
  return (
    <label>
      {label}
      <input
        type="text"
        inputMode={isNumber ? 'numeric' : 'text'}
        autoComplete="off"
        spellcheck={false}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}
