/** Bans, mutes, flags and blocks, and their end. Pure. */
import type {
  BanCommand,
  BlockCommand,
  BypassCommand,
  FlagCommand,
  MuteCommand,
  Outcome,
  UnbanCommand,
  UnflagCommand,
} from '../../protocol/command.ts';
import { RosterError } from '../../protocol/errors.ts';
import type { Micros } from '../../protocol/time.ts';
import type { Policy } from './decide.ts';
import type { Draft } from './draft.ts';

export function decideBan(_draft: Draft, _command: BanCommand, _now: Micros): Outcome {
  throw new RosterError('internal');
}

export function decideUnban(_draft: Draft, _command: UnbanCommand): Outcome {
  throw new RosterError('internal');
}

export function decideMute(_draft: Draft, _command: MuteCommand, _now: Micros): Outcome {
  throw new RosterError('internal');
}

export function decideFlag(_draft: Draft, _command: FlagCommand, _now: Micros): Outcome {
  throw new RosterError('internal');
}

export function decideUnflag(_draft: Draft, _command: UnflagCommand): Outcome {
  throw new RosterError('internal');
}

export function decideBypass(_draft: Draft, _command: BypassCommand): Outcome {
  throw new RosterError('internal');
}

export function decideBlock(_draft: Draft, _command: BlockCommand, _now: Micros): Outcome {
  throw new RosterError('internal');
}

export function decideExpire(_draft: Draft, _now: Micros, _policy: Policy): Outcome {
  throw new RosterError('internal');
}
