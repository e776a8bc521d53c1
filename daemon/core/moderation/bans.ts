/**
 * Bans from the application, from one channel, and from the channels that a moderator will create. rosterd owns no channels:
 * it stores and lists channel bans for the service that does, and they do not make the user banned. A ban with an end is ended by
 * `decideExpire` (../expire.ts). Pure.
 */

import { definedFields } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { ModerationDetails } from '../../../protocol/log/entry.ts';
import type { BanCommand, UnbanCommand } from '../../../protocol/moderation/bans.ts';
import type { Ban } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import type { Moment } from '../policy.ts';
import { checkActor, livingUser, outcomeOf, refuseField, targetFor, withBans } from './restrictions.ts';

const MINUTE: Micros = 60_000_000;

/** The end of a ban or mute of so many minutes; undefined when it has no end. */
export function endOf(minutes: number | undefined, wall: Micros): Micros | undefined {
  return minutes === undefined ? undefined : wall + minutes * MINUTE;
}

/** The scope of a ban. A user has at most one ban of each scope, the last one. */
function scopeOf({ cid, future, by }: Ban): string {
  if (future === true) return `future ${by ?? ''}`;
  return cid === undefined ? 'app' : `cid ${cid}`;
}

export function decideBan(draft: Draft, command: BanCommand, moment: Moment): Outcome {
  const { actor, target, by } = command;
  checkActor(draft, actor, by, 'ban-user');
  const user = targetFor(draft, actor, target, 'ban-user', 'target_user_id');
  if (by !== undefined) livingUser(draft, actor, by, 'banned_by_id');
  else if (command.future === true) refuseField('banned_by_id', 'is required for a ban from future channels');
  const made = bansOf(command, moment);
  const scopes = new Set(made.map(scopeOf));
  const held = user.bans ?? [];
  const kept = held.filter((ban) => !scopes.has(scopeOf(ban)));
  if (kept.length + made.length > LIMITS.bansPerUser) {
    refuseField('target_user_id', `the user ${target} must not have more than ${LIMITS.bansPerUser} bans`);
  }
  // Only servers get events about a shadow ban. For everyone else, the visible ban that it replaces must end first.
  const ended =
    command.shadow === true ? held.find((ban) => ban.shadow !== true && ban.future !== true && scopes.has(scopeOf(ban))) : undefined;
  if (ended !== undefined) {
    const without = held.filter((ban) => ban !== ended);
    draft.stage({ t: 'user', event: 'unbanned', user: withBans(user, without, draft.nextSeq), about: aboutLifted([ended], by) });
  }
  const after = withBans(user, [...kept, ...made], draft.nextSeq);
  draft.stage({ t: 'user', event: 'banned', user: after, about: aboutBan(command, moment) });
  return outcomeOf(draft, after, 'updated');
}

/** The ban, and on request a second one from future channels. */
function bansOf({ by, reason, minutes, shadow, cid, future, ip }: BanCommand, { now, wall }: Moment): readonly Ban[] {
  const common = { by, reason, created_at: now, expires: endOf(minutes, wall), shadow: shadow || undefined };
  const ban = definedFields({ cid, ...common, ip: ip || undefined });
  return future === true ? [ban, definedFields({ future, ...common })] : [ban];
}

function aboutBan({ by, reason, minutes, shadow, cid, future, ip, deleteMessages }: BanCommand, { wall }: Moment): ModerationDetails {
  return definedFields({
    by,
    reason,
    expires: endOf(minutes, wall),
    shadow: shadow || undefined,
    cid,
    future_channels: future || undefined,
    ip_ban: ip || undefined,
    delete_messages: deleteMessages,
  });
}

/** Lifting a ban that does not exist is no error and no fact. */
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

/** The details of the event for bans that ended together. At most one of them is not from future channels. */
export function aboutLifted(lifted: readonly Ban[], by: string | undefined): ModerationDetails {
  const cid = lifted.find((ban) => ban.cid !== undefined)?.cid;
  return definedFields({
    by,
    cid,
    shadow: lifted.every(({ shadow }) => shadow === true) || undefined,
    future_channels: lifted.some(({ future }) => future === true) || undefined,
  });
}
