/** Shared by the moderation endpoints: the acting user, and field names in errors. */

import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import type { Command, Outcome } from '../../../protocol/log/command.ts';
import { actingUser } from '../http/acting.ts';
import type { Call } from '../http/endpoint.ts';

/** The acting user, for requests where a server need not name one: a client acts as itself, and may not name another user. */
export function namedActor({ caller }: Pick<Call, 'caller'>, named: string | undefined, field: string): string | undefined {
  return caller.kind === 'server' ? named : actingUser(caller, named, field);
}

/** Runs the command; errors use the field names of this request. */
export async function submitNamed(
  { submit }: Pick<Call, 'submit'>,
  command: Command,
  names: Readonly<Record<string, string>>,
): Promise<Outcome> {
  try {
    return await submit(command, 'live');
  } catch (error) {
    if (!(error instanceof RosterError)) throw error;
    const fields = error.fields.map((field) => ({ ...field, path: names[field.path] ?? field.path }));
    throw error.kind === 'input' ? fieldErrors('input', fields) : new RosterError(error.kind, error.message, fields);
  }
}
