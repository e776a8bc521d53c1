/** A field that is on or off. */
import type { ComponentChildren } from 'preact';

export interface TickProps {
  readonly isOn: boolean;
  readonly onChange: (isOn: boolean) => void;
  /** What it stands for. */
  readonly children: ComponentChildren;
}

export function Tick({ isOn, onChange, children }: TickProps) {
  return (
    <label class="tick">
      <input type="checkbox" checked={isOn} onChange={(event) => onChange(event.currentTarget.checked)} />
      {children}
    </label>
  );
}
