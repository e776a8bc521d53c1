/** Mutes: users whom a user does not want to hear. They are stored with the user who mutes. Pure. */

import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { MuteCommand } from '../../../protocol/moderation/mutes.ts';
import type { Mute, StoredUser } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import type { Moment } from '../policy.ts';
import { missingProblem, type Problem, problem, refuseIfAny } from '../problems.ts';
import { endOf } from './bans.ts';
import { checkActor, findFor, livingUser, outcomeOf, reachProblem, refuseField, withMutes } from './restrictions.ts';

/** Targets that do not exist are named in the outcome; when none does, the command is refused. */
export function decideMute(draft: Draft, command: MuteCommand, moment: Moment): Outcome {
  checkActor(draft, command.actor, command.by, 'mute-user');
  const user = livingUser(draft, command.actor, command.by, 'user_id');
  const { targets, missing } = resolve(draft, command, user);
  const outcome = command.kind === 'mute' ? mute(draft, command, user, targets, moment) : unmute(draft, command, user, targets);
  return { ...outcome, missing };
}

interface Targets {
  readonly targets: readonly string[];
  readonly missing: readonly string[];
}

/** A muted user that was deleted since can still be unmuted. */
function resolve(draft: Draft, { kind, actor, by, targets: named }: MuteCommand, { mutes = [] }: StoredUser): Targets {
  const targets: string[] = [];
  const missing: string[] = [];
  const absent: Problem[] = [];
  const refused: Problem[] = [];
  for (const id of new Set(named)) {
    const path = `target_ids[${id}]`;
    const found = findFor(draft, actor, id);
    if (kind === 'unmute' && mutes.some((mute) => mute.id === id)) targets.push(id);
    else if (found.kind !== 'alive') {
      missing.push(id);
      absent.push(missingProblem(found, id, path));
    } else if (id === by && kind === 'mute') refused.push(problem('input', path, `the user ${id} cannot mute itself`));
    else {
      const unreached = reachProblem(draft, actor, found.user, 'mute-user', path);
      if (unreached === undefined) targets.push(id);
      else refused.push(unreached);
    }
  }
  refuseIfAny([], refused);
  if (targets.length === 0) refuseIfAny([], absent);
  return { targets, missing };
}

/** Muting again renews a mute: it gets the new end, or none, and keeps its beginning. */
function mute(draft: Draft, { by, minutes }: MuteCommand, user: StoredUser, targets: readonly string[], { now, wall }: Moment): Outcome {
  const expires = endOf(minutes, wall);
  const mutes = new Map<string, Mute>((user.mutes ?? []).map((held) => [held.id, held]));
  for (const id of targets) {
    const created_at = mutes.get(id)?.created_at ?? now;
    mutes.set(id, { id, created_at, updated_at: now, ...(expires === undefined ? undefined : { expires }) });
  }
  if (mutes.size > LIMITS.mutesPerUser) refuseField('target_ids', `the user ${by} must not mute more than ${LIMITS.mutesPerUser} users`);
  const after = withMutes(user, [...mutes.values()], draft.nextSeq);
  const about = { by, targets: [...targets], ...(expires === undefined ? undefined : { expires }) };
  draft.stage({ t: 'user', event: 'muted', user: after, about });
  return outcomeOf(draft, after, 'updated');
}

/** Unmuting a user that is not muted is no error and no fact. */
function unmute(draft: Draft, { by }: MuteCommand, user: StoredUser, targets: readonly string[]): Outcome {
  const held = user.mutes ?? [];
  const ended = held.filter(({ id }) => targets.includes(id));
  if (ended.length === 0) return outcomeOf(draft, user, 'unchanged');
  const kept = held.filter((mute) => !ended.includes(mute));
  const after = withMutes(user, kept, draft.nextSeq);
  draft.stage({ t: 'user', event: 'unmuted', user: after, about: { by, targets: ended.map(({ id }) => id) } });
  return outcomeOf(draft, after, 'updated');
}
