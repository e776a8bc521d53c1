/**
 * Bans: of the application, of one channel, of the channels that somebody will create. rosterd owns no channels: their bans
 * are kept and listed for the service that does, and are no ban of the user. Pure.
 */

import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { ModerationDetails } from '../../../protocol/log/entry.ts';
import type { BanCommand, UnbanCommand } from '../../../protocol/moderation/bans.ts';
import type { Ban } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import { checkActor, livingUser, outcomeOf, refuseField, targetFor, withBans } from './restrictions.ts';

const MINUTE: Micros = 60_000_000;

/** When something of so many minutes ends; undefined when it does not. */
export function endOf(minutes: number | undefined, now: Micros): Micros | undefined {
  return minutes === undefined ? undefined : now + minutes * MINUTE;
}

/** What a ban is about. A user has at most one of each scope: the last one counts. */
function scopeOf({ cid, future, by }: Ban): string {
  if (future === true) return `future ${by ?? ''}`;
  return cid === undefined ? 'app' : `cid ${cid}`;
}

export function decideBan(draft: Draft, command: BanCommand, now: Micros): Outcome {
  const { actor, target, by } = command;
  checkActor(draft, actor, by, 'ban-user');
  const user = targetFor(draft, actor, target, 'ban-user', 'target_user_id');
  if (by !== undefined) livingUser(draft, actor, by, 'banned_by_id');
  else if (command.future === true) refuseField('banned_by_id', 'is required for a ban from future channels');
  const made = bansOf(command, now);
  const scopes = new Set(made.map(scopeOf));
  const held = user.bans ?? [];
  const kept = held.filter((ban) => !scopes.has(scopeOf(ban)));
  if (kept.length + made.length > LIMITS.bansPerUser) {
    refuseField('target_user_id', `the user ${target} must not have more than ${LIMITS.bansPerUser} bans`);
  }
  // Nobody but servers is told of a shadow ban: to all others, a ban that everyone saw has to end before it.
  const ended =
    command.shadow === true ? held.find((ban) => ban.shadow !== true && ban.future !== true && scopes.has(scopeOf(ban))) : undefined;
  if (ended !== undefined) {
    const without = held.filter((ban) => ban !== ended);
    draft.stage({ t: 'user', event: 'unbanned', user: withBans(user, without, draft.nextSeq), about: aboutLifted([ended], by) });
  }
  const after = withBans(user, [...kept, ...made], draft.nextSeq);
  draft.stage({ t: 'user', event: 'banned', user: after, about: aboutBan(command, now) });
  return outcomeOf(draft, after, 'updated');
}

/** The ban, and beside it the one from future channels when it is asked for. */
function bansOf({ by, reason, minutes, shadow, cid, future, ip }: BanCommand, now: Micros): readonly Ban[] {
  const expires = endOf(minutes, now);
  const common = {
    ...(by === undefined ? undefined : { by }),
    ...(reason === undefined ? undefined : { reason }),
    created_at: now,
    ...(expires === undefined ? undefined : { expires }),
    ...(shadow === true ? { shadow } : undefined),
  };
  const ban = { ...(cid === undefined ? undefined : { cid }), ...common, ...(ip === true ? { ip } : undefined) };
  return future === true ? [ban, { ...common, future }] : [ban];
}

function aboutBan({ by, reason, minutes, shadow, cid, future, ip, deleteMessages }: BanCommand, now: Micros): ModerationDetails {
  const expires = endOf(minutes, now);
  return {
    ...(by === undefined ? undefined : { by }),
    ...(reason === undefined ? undefined : { reason }),
    ...(expires === undefined ? undefined : { expires }),
    ...(shadow === true ? { shadow } : undefined),
    ...(cid === undefined ? undefined : { cid }),
    ...(future === true ? { future_channels: true } : undefined),
    ...(ip === true ? { ip_ban: true } : undefined),
    ...(deleteMessages === undefined ? undefined : { delete_messages: deleteMessages }),
  };
}

/** Lifting a ban that is not there is no error, and no fact. */
export function decideUnban(draft: Draft, command: UnbanCommand): Outcome {
  const { actor, target, by } = command;
  checkActor(draft, actor, by, 'ban-user');
  const user = targetFor(draft, actor, target, 'ban-user', 'target_user_id');
  const held = user.bans ?? [];
  const lifted = held.filter((ban) => isLifted(ban, command));
  if (lifted.length === 0) return outcomeOf(draft, user, 'unchanged');
  const kept = held.filter((ban) => !lifted.includes(ban));
  const after = withBans(user, kept, draft.nextSeq);
  draft.stage({ t: 'user', event: 'unbanned', user: after, about: aboutLifted(lifted, by) });
  return outcomeOf(draft, after, 'updated');
}

function isLifted(ban: Ban, { cid, shadow, future, futureOf }: UnbanCommand): boolean {
  if (ban.future === true) return future === true && (futureOf === undefined || ban.by === futureOf);
  return ban.cid === cid && (shadow !== true || ban.shadow === true);
}

/** What an event says of bans that ended together: at most one of them is not about future channels. */
export function aboutLifted(lifted: readonly Ban[], by: string | undefined): ModerationDetails {
  const cid = lifted.find((ban) => ban.cid !== undefined)?.cid;
  return {
    ...(by === undefined ? undefined : { by }),
    ...(cid === undefined ? undefined : { cid }),
    ...(lifted.every(({ shadow }) => shadow === true) ? { shadow: true } : undefined),
    ...(lifted.some(({ future }) => future === true) ? { future_channels: true } : undefined),
  };
}
