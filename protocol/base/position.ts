/**
 * A position in the history of the directory.
 *
 * `seq` counts facts: an entry of n facts takes the n numbers after those of the
 * previous entry, without holes, so every event has its own number and a
 * subscriber cut off in the middle of a batch resumes exactly there. `epoch`
 * names the history itself; it changes exactly when history was lost or
 * recreated, so that a position never applies to another history.
 */
import Type, { type Static } from 'typebox';

export const Position = Type.Object({ epoch: Type.String({ minLength: 1, maxLength: 64 }), seq: Type.Integer({ minimum: 0 }) });
export type Position = Static<typeof Position>;

const TEXT = /^(.{1,64}):(\d{1,16})$/s;

/** `<epoch>:<seq>`, as in the header `X-Rosterd-Position`. */
export function positionText({ epoch, seq }: Position): string {
  return `${epoch}:${seq}`;
}

/** The position that a text in that form names; undefined for every other text. */
export function positionOf(text: string): Position | undefined {
  const [, epoch, digits] = TEXT.exec(text) ?? [];
  const seq = Number(digits);
  return epoch === undefined || !Number.isSafeInteger(seq) ? undefined : { epoch, seq };
}
