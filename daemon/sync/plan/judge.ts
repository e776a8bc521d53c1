/** Finds out what sending a batch of users would change: asks the daemon, or compares the users with those that a server shows. */

import { isObject, jsonEquals } from '../../../protocol/base/json.ts';
import { sameTeams } from '../../../protocol/users/teams.ts';
import type { Returns } from '../../../protocol/users/upsert.ts';
import type { UserInput } from '../../../protocol/users/user.ts';
import type { TakenOut } from '../counts.ts';
import { briefOf, messageOf, type RefusalReason, readRefusal, takenOutIn } from '../refusal.ts';
import { decodeSent, type SourceUser } from '../source-user.ts';
import type { AskRequest, Reply } from '../transport.ts';
import { dryRunRequest } from '../upserter.ts';
import type { PlanLine, PlannedChanges, PlanWrite, Write } from './plan-lines.ts';

/** Users that a server of the chat API returns at once. */
export const QUERY_USERS = 30;

export interface Judgement {
  readonly lines: readonly PlanLine[];
  readonly unchanged: number;
  /** Users that an earlier sync took out and that stay out. */
  readonly takenOut: readonly TakenOut[];
}

/** The answer is not what it should be, so nothing in it may be believed. */
export class StrangeAnswer extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StrangeAnswer';
  }
}

/** One way to judge a batch. `read` throws StrangeAnswer. */
export interface Judge {
  readonly batchUsers: number;
  request(batch: readonly SourceUser[]): AskRequest;
  read(batch: readonly SourceUser[], reply: Reply): Judgement;
}

/** The daemon decides by all of its rules and stores nothing. Only for a server known to be rosterd: another server would write. */
export function dryRunJudge(returning: Returns): Judge {
  return { batchUsers: 100, request: (batch) => dryRunRequest(batch, returning), read: readDryRun };
}

/** Lists of the answer, and what they say would become of their users. */
const WRITES_BY_LIST: readonly (readonly [string, Write])[] = [
  ['created', 'create'],
  ['updated', 'update'],
  ['reactivated', 'reactivate'],
  ['restored', 'restore'],
];

function readDryRun(batch: readonly SourceUser[], reply: Reply): Judgement {
  const body = bodyOf(reply);
  const { revs, changes } = body;
  if (!isObject(revs) || !isObject(changes)) {
    throw new StrangeAnswer(
      'the daemon did not say that it only tried (POST /users?dry_run=true); it may have written the users it was asked about',
    );
  }
  const does = new Map<unknown, Write>();
  for (const [list, write] of WRITES_BY_LIST) for (const id of idsIn(body[list])) does.set(id, write);
  const unchanged = new Set(idsIn(body.unchanged));
  const wrong = Array.isArray(body.errors) && body.errors.length > 0 ? reasonsIn(reply, batch) : undefined;
  const lines: PlanLine[] = [];
  let same = 0;
  for (const user of batch) {
    const write = does.get(user.id);
    if (write !== undefined) lines.push(writeOf(write, user, revOf(revs[user.id]), changesOf(changes[user.id])));
    else if (unchanged.has(user.id)) same++;
    else lines.push(errorOf(user, wrong?.get(user.id) ?? { code: -1, reason: 'the daemon does not say what would become of the user' }));
  }
  return { lines, unchanged: same, takenOut: takenOutIn(body) };
}

/** Compares with the users that QueryUsers shows: name, image, custom data, all other sent fields. The server's own rules are unknown. */
export const COMPARE: Judge = {
  batchUsers: QUERY_USERS,
  request: (batch) => queryById(batch.map(({ id }) => id)),
  read: (batch, reply) => {
    const shown = new Map(usersIn(reply).map((user) => [user.id, user]));
    const lines: PlanLine[] = [];
    let same = 0;
    for (const user of batch) {
      const before = shown.get(user.id);
      const changes = differences(before, inputOf(JSON.parse(user.json)));
      if (before === undefined) lines.push(writeOf('create', user, null, changes));
      else if (Object.keys(changes).length > 0) lines.push(writeOf('update', user, null, changes));
      else same++;
    }
    return { lines, unchanged: same, takenOut: [] };
  },
};

/** Asks for the users with these ids, including deactivated ones. At most `QUERY_USERS`. */
export function queryById(ids: readonly string[]): AskRequest {
  const payload = { filter_conditions: { id: { $in: ids } }, limit: QUERY_USERS, include_deactivated_users: true };
  return { method: 'GET', path: '/users', query: { payload: JSON.stringify(payload) } };
}

/** The users of an answer to `queryById`. Throws StrangeAnswer. */
export function usersIn(reply: Reply): readonly UserInput[] {
  const { users } = bodyOf(reply);
  if (!Array.isArray(users)) throw new StrangeAnswer('the answer to GET /users has no users');
  return users.map(inputOf).filter((user) => user !== undefined);
}

function bodyOf(reply: Reply): Readonly<Record<string, unknown>> {
  if (reply.status >= 300) throw new StrangeAnswer(`the daemon answers ${reply.status}: ${messageOf(reply)}`);
  const { body } = reply;
  if (body === undefined) throw new StrangeAnswer(`the answer is not that of a user directory: ${briefOf(reply)}`);
  return body;
}

function idsIn(ids: unknown): readonly unknown[] {
  return Array.isArray(ids) ? ids : [];
}

/** The errors of a dry run have the form of a refusal, in an answer with a success status. */
function reasonsIn(reply: Reply, batch: readonly SourceUser[]): ReadonlyMap<string, RefusalReason> {
  const refusal = readRefusal(reply, batch);
  return refusal.kind === 'named' ? refusal.reasons : new Map();
}

function revOf(rev: unknown): number | null {
  return typeof rev === 'number' ? rev : null;
}

function changesOf(sent: unknown): PlannedChanges {
  const changes: Record<string, readonly [unknown, unknown]> = {};
  for (const [field, pair] of Object.entries(isObject(sent) ? sent : {})) {
    if (Array.isArray(pair)) changes[field] = [pair[0] ?? null, pair[1] ?? null];
  }
  return changes;
}

function writeOf(does: Write, { line, id, json }: SourceUser, rev: number | null, changes: PlannedChanges): PlanWrite {
  return { do: does, line, id, rev, user: JSON.parse(json), changes };
}

function errorOf({ line, id }: SourceUser, { code, reason }: RefusalReason): PlanLine {
  return { error: { line, id, code, reason } };
}

function inputOf(user: unknown): UserInput | undefined {
  return decodeSent(user, []);
}

/** Fields that an upsert leaves unchanged when they are not sent. */
const KEPT_FIELDS = ['role', 'teams', 'teams_role', 'language', 'invisible', 'privacy_settings'] as const;
/** Fields of a user that never had other values; servers differ in whether they show them. */
const DEFAULTS: Readonly<Record<string, unknown>> = { invisible: false, teams: [], teams_role: {} };

function differences(before: UserInput | undefined, after: UserInput | undefined): PlannedChanges {
  const changes: Record<string, readonly [unknown, unknown]> = {};
  const compare = (field: string, old: unknown, now: unknown) => {
    if (!jsonEquals(old ?? null, now ?? null)) changes[field] = [old ?? null, now ?? null];
  };
  if (after === undefined) return changes;
  for (const field of ['name', 'image'] as const) compare(field, before?.[field], after[field]);
  const hasSameTeams = before !== undefined && sameTeams(before.teams ?? [], after.teams ?? []);
  for (const field of KEPT_FIELDS) {
    if (after[field] === undefined || (field === 'teams' && hasSameTeams)) continue;
    compare(field, before?.[field] ?? (before && DEFAULTS[field]), after[field]);
  }
  for (const key of new Set([...Object.keys(before?.custom ?? {}), ...Object.keys(after.custom)])) {
    compare(`custom.${key}`, before?.custom[key], after.custom[key]);
  }
  return changes;
}
