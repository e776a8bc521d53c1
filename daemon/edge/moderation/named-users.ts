/** What the endpoints of moderation share: users inside of bans, mutes, reports and blocks, who acts, and what errors call fields. */

import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import type { Command, Outcome } from '../../../protocol/log/command.ts';
import { type Rendered, renderUserIn } from '../../../protocol/users/render.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { type Asking, actingUser, asideOf } from '../http/acting.ts';
import type { Call } from '../http/endpoint.ts';

/** As others see the user, except that servers see shadow bans. What the user keeps for itself (mutes, devices) is left out. */
export function renderBrief({ backend, caller }: Asking, user: StoredUser, dialect: Dialect): Rendered {
  const aside = asideOf({ backend, caller: caller.kind === 'server' ? caller : { kind: 'anonymous' } }, user.id);
  // The mutes of a user inside of a mute would hold users inside of mutes again.
  const { mutes: _mutes, devices: _devices, ...shown } = user;
  return renderUserIn(dialect, shown, aside);
}

/** Who acts, where a server need not say: a client is itself, and may not name another. */
export function namedActor({ caller }: Pick<Call, 'caller'>, named: string | undefined, field: string): string | undefined {
  return caller.kind === 'server' ? named : actingUser(caller, named, field);
}

/** Runs the command; a refusal calls the fields what this request calls them. */
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
