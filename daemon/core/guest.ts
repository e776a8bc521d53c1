/** Guests, and events of the application's own. Pure. */
import type { CustomEventCommand, GuestCommand, Outcome } from '../../protocol/command.ts';
import { RosterError } from '../../protocol/errors.ts';
import type { Micros } from '../../protocol/time.ts';
import type { Policy } from './decide.ts';
import type { Draft } from './draft.ts';

export function decideGuest(_draft: Draft, _command: GuestCommand, _now: Micros, _policy: Policy): Outcome {
  throw new RosterError('internal');
}

export function decideCustomEvent(_draft: Draft, _command: CustomEventCommand): Outcome {
  throw new RosterError('internal');
}
