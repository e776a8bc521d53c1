/** Why a command is refused: problems of single users, and the errors they become. Pure. */
import { ERRORS, type ErrorKind, type FieldError, RosterError } from '../../protocol/base/errors.ts';
import type { Found } from './directory/find.ts';

/** A problem of one user, with the kind of error it is alone. The first one of a batch gives the batch its kind. */
export interface Problem extends FieldError {
  readonly kind: ErrorKind;
}

export function problem(kind: ErrorKind, path: string, message: string): Problem {
  return { kind, path, message, code: ERRORS[kind].code };
}

/** Refuses the batch with everything that is wrong with it: what decoding found first, then what the rules say. */
export function refuseIfAny(decoding: readonly FieldError[], problems: readonly Problem[]): void {
  const [first] = [...decoding, ...problems];
  if (first === undefined) return;
  const kind = decoding.length > 0 ? 'input' : (problems[0]?.kind ?? 'input');
  const all = [...decoding.map((field) => ({ code: ERRORS.input.code, ...field })), ...problems.map(({ kind: _, ...field }) => field)];
  // A problem that is about the user as a whole already names it; one about a field needs the path in front.
  const reason = kind === 'input' ? `${first.path}: ${first.message}` : first.message;
  throw new RosterError(kind, reason, all);
}

/** What is said of an id that no living user has. */
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
