/** Ends bans and mutes whose time is over, with facts of their own, and drops tasks and receipts that were kept long enough. Pure. */

import { LIMITS } from '../../protocol/base/limits.ts';
import type { Micros } from '../../protocol/base/time.ts';
import type { Outcome } from '../../protocol/log/command.ts';
import type { DocChange } from '../../protocol/log/documents.ts';
import { EXPORT_TASK } from '../../protocol/transfer/exports.ts';
import type { StoredUser } from '../../protocol/users/user.ts';
import type { Draft } from './directory/draft.ts';
import { find } from './directory/find.ts';
import { aboutLifted } from './moderation/bans.ts';
import { withBans, withMutes } from './moderation/restrictions.ts';
import type { Policy } from './policy.ts';
import { dropReceipts } from './users/receipts.ts';

/** Maximum number of facts of one command. The sender repeats the command until the outcome is empty. */
const FACTS_MAX = LIMITS.batchUsers;

/** The outcome holds the users whose bans or mutes ended, and the dropped tasks and receipts. It is empty when nothing is over. */
export function decideExpire(draft: Draft, wall: Micros, policy: Policy): Outcome {
  const last = draft.nextSeq + FACTS_MAX;
  const users: Outcome['users'][number][] = [];
  for (const id of draft.dueBy(wall, FACTS_MAX)) {
    // An earlier command of the same batch may have lifted the ban, or deleted the user.
    const found = find(draft, id);
    if (found.kind !== 'alive') continue;
    const user = endMutes(draft, endBans(draft, found.user, wall, last), wall, last);
    if (user !== found.user) users.push({ user, change: 'updated' });
  }
  const tasks = dropTasks(draft, wall, policy, last);
  const receipts = dropReceipts(draft, wall, policy.receiptsKeptMicros, last - draft.nextSeq);
  return { users, docs: [...tasks, ...receipts], warnings: [], seq: draft.nextSeq - 1 };
}

function isOver({ expires }: { readonly expires?: Micros }, now: Micros): boolean {
  return expires !== undefined && expires <= now;
}

/** Each ban gets its own fact: each has another channel or other receivers. */
function endBans(draft: Draft, before: StoredUser, now: Micros, last: number): StoredUser {
  let user = before;
  for (const ban of before.bans ?? []) {
    if (!isOver(ban, now) || draft.nextSeq >= last) continue;
    const kept = (user.bans ?? []).filter((other) => other !== ban);
    user = withBans(user, kept, draft.nextSeq);
    draft.stage({ t: 'user', event: 'unbanned', user, about: aboutLifted([ban], undefined) });
  }
  return user;
}

function endMutes(draft: Draft, before: StoredUser, now: Micros, last: number): StoredUser {
  const over = (before.mutes ?? []).filter((mute) => isOver(mute, now));
  if (over.length === 0 || draft.nextSeq >= last) return before;
  const kept = (before.mutes ?? []).filter((mute) => !over.includes(mute));
  const user = withMutes(before, kept, draft.nextSeq);
  draft.stage({ t: 'user', event: 'unmuted', user, about: { targets: over.map(({ id }) => id) } });
  return user;
}

/**
 * Tasks are in the order of their creation, so the first one that is too young ends the search. One from a time that has not come yet was
 * made while the clock stood ahead, and says nothing about those after it.
 */
function dropTasks(draft: Draft, now: Micros, { tasksKeptMicros, exportsKeptMicros }: Policy, last: number): readonly DocChange[] {
  const dropped: DocChange[] = [];
  const room = last - draft.nextSeq;
  for (const { id, kind, status, created_at, updated_at } of draft.docs.all('task')) {
    if (dropped.length >= room) break;
    if (created_at > now) continue;
    if (created_at > now - tasksKeptMicros) break;
    const keptMicros = kind === EXPORT_TASK ? Math.max(tasksKeptMicros, exportsKeptMicros) : tasksKeptMicros;
    const isFinished = status === 'completed' || status === 'failed';
    if (isFinished && updated_at <= now - keptMicros) dropped.push({ kind: 'task', id, doc: null });
  }
  for (const change of dropped) draft.stage({ t: 'doc', ...change });
  return dropped;
}
