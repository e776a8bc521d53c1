/** A position as a header has it: `<epoch>:<seq>`. Without the schema library, so that the client may use it. */
import type { Position } from './position.ts';

const TEXT = /^(.{1,64}):(\d{1,16})$/s;

export function positionText({ epoch, seq }: Position): string {
  return `${epoch}:${seq}`;
}

/** Undefined for a text in another form. */
export function positionOf(text: string): Position | undefined {
  const [, epoch, digits] = TEXT.exec(text) ?? [];
  const seq = Number(digits);
  return epoch === undefined || !Number.isSafeInteger(seq) ? undefined : { epoch, seq };
}
