/** For tests of what is refused: runs `act` and gives the refusal. Anything else, success too, fails the test. */
import assert from 'node:assert/strict';
import { type ErrorKind, type FieldError, RosterError } from '../../../protocol/base/errors.ts';

export function refusal(act: () => unknown): RosterError {
  try {
    act();
  } catch (error) {
    if (error instanceof RosterError) return error;
    throw error;
  }
  return assert.fail('nothing was refused');
}

/** The fields of a refusal that must be of the kind `input`. */
export function refusedFields(act: () => unknown): readonly FieldError[] {
  const error = refusal(act);
  assert.equal(error.kind, 'input');
  return error.fields;
}

/** For `assert.throws` and `rejects`: a refusal of this kind, with this reason. */
export const refusedFor =
  (kind: ErrorKind, reason?: RegExp) =>
  (error: unknown): boolean =>
    error instanceof RosterError && error.kind === kind && reason?.test(error.message) !== false;
