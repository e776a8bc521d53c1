/** The problems of single users that make a command refused, and the errors they become. Pure. */
import { ERRORS, type ErrorKind, type FieldError, RosterError } from '../../protocol/base/errors.ts';
import type { Found } from './directory/find.ts';

/** A problem of one user, with the kind of error that it would be alone. The first problem gives a batch its kind. */
export interface Problem extends FieldError {
  readonly kind: ErrorKind;
}

export function problem(kind: ErrorKind, path: string, message: string): Problem {
  return { kind, path, message, code: ERRORS[kind].code };
}

/** Refuses the batch with all its problems, those of decoding first, then those of the rules. Throws RosterError unless there are none. */
export function refuseIfAny(decoding: readonly FieldError[], problems: readonly Problem[]): void {
  const [first] = [...decoding, ...problems];
  if (first === undefined) return;
  const kind = decoding.length > 0 ? 'input' : (problems[0]?.kind ?? 'input');
  const all = [...decoding.map((field) => ({ code: ERRORS.input.code, ...field })), ...problems.map(({ kind: _, ...field }) => field)];
  // The message of a problem of a whole user names the user; that of a field needs the path in front.
  const reason = kind === 'input' ? `${first.path}: ${first.message}` : first.message;
  throw new RosterError(kind, reason, all);
}

/** The message about an id that no living user has. */
export function absence(id: string, kind: 'absent' | 'deleted'): string {
  return `the user ${id} ${kind === 'deleted' ? 'was deleted' : 'does not exist'}`;
}

export function missingProblem({ kind }: Exclude<Found, { kind: 'alive' }>, id: string, path: string): Problem {
  return problem('not_found', path, absence(id, kind));
}

/** The error for a user that a command cannot act on. */
export function unknownUser(id: string): RosterError {
  return new RosterError('not_found', absence(id, 'absent'));
}

export function deletedUser(id: string): RosterError {
  return new RosterError('not_found', absence(id, 'deleted'));
}

/** The published text for a user that may not do something. */
export function notAllowed(id: string, role: string, action: string): string {
  return `User '${id}' with role '${role}' is not allowed to perform action ${action}`;
}
