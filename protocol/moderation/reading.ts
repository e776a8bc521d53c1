/**
 * Tools for requests that ban, mute, report and block users: the users that they name, and the acting user. The acting
 * user (`by`) is only read here; the edge checks what the token allows. Pure; throws RosterError `input`.
 */
import Type from 'typebox';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { userIdProblem } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';

export const Id = Type.String({ minLength: 1, maxLength: LIMITS.idChars });

/** A whole user as a reference. Only its id counts. */
export const NamedUser = Type.Object({ id: Type.String() });

export const ReasonField = Type.String({ maxLength: LIMITS.reasonChars });

/** Go writes 0 for "not given". */
export const Minutes = Type.Integer({ minimum: 0, maximum: LIMITS.timeoutMinutes });

/** The content of a command without its sender. */
export type Said<Command> = Omit<Command, 'kind' | 'actor'>;

type Acting = { readonly user_id?: string; readonly user?: { readonly id: string } };

export function byOf({ user_id, user }: Acting): { readonly by?: string } {
  const by = user_id ?? user?.id;
  return by === undefined ? {} : { by };
}

export function idsOf({ user_id, user }: Acting): readonly (FieldError | undefined)[] {
  return idProblems({ user_id, 'user.id': user?.id });
}

type NamedIds = Readonly<Record<string, string | undefined>>;

export function firstOf(named: NamedIds): string | undefined {
  return Object.values(named).find((id) => id !== undefined);
}

/** The fields that name the acting user: each must be an id, and all of them the same one. */
export function idProblems(named: NamedIds): readonly (FieldError | undefined)[] {
  const [first, ...rest] = Object.entries(named).filter(([, id]) => id !== undefined);
  if (first === undefined) return [];
  const others = rest.filter(([, id]) => id !== first[1]).map(([path]) => ({ path, message: `must name the same user as ${first[0]}` }));
  return [idProblem(...first), ...others];
}

export function minutesOf(minutes: number | undefined): { readonly minutes?: number } {
  return minutes === undefined || minutes === 0 ? {} : { minutes };
}

export function idProblem(path: string, id: string | undefined): FieldError | undefined {
  const message = id === undefined ? undefined : userIdProblem(id);
  return message === undefined ? undefined : { path, message };
}

export function refuse(found: readonly (FieldError | undefined)[]): void {
  const problems = found.filter((problem) => problem !== undefined);
  if (problems.length > 0) throw fieldErrors('input', problems);
}
