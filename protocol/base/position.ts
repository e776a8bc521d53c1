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
