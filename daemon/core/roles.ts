/** Custom roles. Pure. */
import type { Outcome, RoleCommand } from '../../protocol/command.ts';
import { RosterError } from '../../protocol/errors.ts';
import type { Micros } from '../../protocol/time.ts';
import type { Draft } from './draft.ts';

export function decideRole(_draft: Draft, _command: RoleCommand, _now: Micros): Outcome {
  throw new RosterError('internal');
}
