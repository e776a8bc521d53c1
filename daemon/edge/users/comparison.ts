/** Comparing a copy of users with the directory: digests of parts of it, and the differences of single users. It keeps CY1–CY4 (daemon/RULES.md). */
import Type from 'typebox';
import { digestPart, RevisionDigest } from '../../../protocol/base/digest.ts';
import { fieldErrors } from '../../../protocol/base/errors.ts';
import { isUserId } from '../../../protocol/base/ids.ts';
import type { Position } from '../../../protocol/base/position.ts';
import { queryReader } from '../../../protocol/base/query-string.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import { AnyObject } from '../../../protocol/base/schemas.ts';
import { toRfc3339 } from '../../../protocol/base/time.ts';
import {
  CompareBody,
  type CompareRequest,
  PartCountParameter,
  readCompare,
  TeamParameter,
} from '../../../protocol/users/comparing/comparison.ts';
import { type CopyDifference, compareRevs, DIFFERENCES } from '../../../protocol/users/comparing/copy-check.ts';
import { upsertDecoding } from '../../../protocol/users/upsert.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import { inSlices } from '../../base/slices.ts';
import type { RecordsView } from '../../core/directory/frozen-view.ts';
import { isTombstone, type Tombstone } from '../../core/directory/record.ts';
import { stepped } from '../answers/answer-text.ts';
import { actorOf } from '../http/acting.ts';
import type { Reading } from '../http/backend.ts';
import { type Call, type Endpoint, type EndpointAnswer, inBothDialects } from '../http/endpoint.ts';
import { dryRun } from './dry-run.ts';

/** Users added to digests between two checks of the clock. */
const STEP_USERS = 128;

const DigestsQuery = Type.Object({
  team: TeamParameter,
  parts: PartCountParameter,
  since: Type.Optional(Type.Integer({ minimum: 0, description: 'a seq: `changed` counts the users that changed after it' })),
});
const readDigests = queryReader(DigestsQuery);
type DigestsQuestion = ReturnType<typeof readDigests>;

const DigestsAnswer = Type.Object({
  epoch: Type.String(),
  seq: Type.Integer(),
  users: Type.Integer(),
  digest: Type.String(),
  changed: Type.Optional(Type.Integer()),
  parts: Type.Array(Type.String()),
});

const CompareAnswer = Type.Object({
  epoch: Type.String(),
  seq: Type.Integer(),
  equal: Type.Integer(),
  changed: Type.Integer(),
  differences: Type.Array(
    Type.Object({
      id: Type.String(),
      how: Type.Union(DIFFERENCES.map((how) => Type.Literal(how))),
      rev: Type.Optional(Type.Integer()),
      copy_rev: Type.Optional(Type.Integer()),
      note: Type.Optional(Type.String()),
      fields: Type.Optional(AnyObject),
    }),
  ),
});

export const COMPARISON_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/sync/digests', () => ({
    operation: 'GetDigests',
    method: 'GET',
    access: 'server',
    summary: 'Digests of the ids and revisions of all users, or of those of a team, in one or more parts, at one position',
    query: DigestsQuery,
    answer: DigestsAnswer,
    handle: async ({ backend, query }) => {
      const question = readDigests(query);
      const view = backend.freeze();
      try {
        return { body: await inSlices(digests(view, question)), seq: view.position.seq };
      } finally {
        view.release();
      }
    },
  })),
  ...inBothDialects('/sync/compare', (dialect) => ({
    operation: 'CompareUsers',
    method: 'POST',
    access: 'server',
    summary: 'How users in a copy differ from those of the directory; changes nothing',
    body: CompareBody,
    answer: CompareAnswer,
    handle: async (call) => await compare(call, dialect, readCompare(await call.body())),
  })),
];

function* digests(view: RecordsView, { team, parts: count = 1, since }: DigestsQuestion): Generator<undefined, EndpointAnswer['body']> {
  const all = new RevisionDigest();
  const parts = count === 1 ? [all] : Array.from({ length: count }, () => new RevisionDigest());
  let [users, looked, changed] = [0, 0, 0];
  for (const record of view.scan()) {
    if (++looked % STEP_USERS === 0) yield;
    if (isTombstone(record) || !isAlive(record) || (team !== undefined && !record.teams.includes(team))) continue;
    users++;
    all.add(record.id, record.rev);
    if (count > 1) parts[digestPart(record.id, count)]?.add(record.id, record.rev);
    if (since !== undefined && record.rev > since) changed++;
  }
  const { epoch, seq } = view.position;
  return { epoch, seq, users, digest: all.toString(), ...(since === undefined ? undefined : { changed }), parts: parts.map(String) };
}

/** Rejects with RosterError: `input` for a position of another epoch or beyond the end of the log, `unavailable`. */
async function compare(call: Call, dialect: Dialect, request: CompareRequest): Promise<EndpointAnswer> {
  const { backend } = call;
  const at = request.position ?? backend.position;
  if (!backend.arrivals.has(at) && (await backend.arrivals.until(at)) === 'unknown') {
    const message = `the directory is at ${backend.position.epoch}:${backend.position.seq}: a copy of another history, or from after that, cannot be compared`;
    throw fieldErrors('input', [{ path: 'position', message }]);
  }
  const found = new Found();
  const goneAfter = await backend.past.timeAfter(at.seq);
  for (const [id, rev] of Object.entries(request.revs ?? {})) judge(backend, { id, rev, at, team: request.team, goneAfter }, found);
  if (request.users !== undefined) await judgeFields(call, dialect, request.users, at, found);
  const { epoch, seq } = backend.position;
  return { body: { epoch, seq, equal: found.equal, changed: found.changed, differences: found.differences }, seq };
}

class Found {
  equal = 0;
  changed = 0;
  readonly differences: CopyDifference[] = [];
}

interface HeldUser {
  readonly id: string;
  readonly rev: number;
  readonly at: Position;
  readonly team: string | undefined;
  /** Time of the first change after the position, microseconds; undefined when there is none, or when that is no longer known. */
  readonly goneAfter: number | undefined;
}

function judge({ directory }: Reading, held: HeldUser, found: Found): void {
  const { id, rev, at, team } = held;
  const record = directory.record(id);
  const user = record === undefined || isTombstone(record) ? undefined : record;
  const isListed = user !== undefined && isAlive(user) && (team === undefined || user.teams.includes(team));
  if (isListed) {
    const result = compareRevs(user.rev, rev, at.seq);
    if (result === 'equal') found.equal++;
    else if (result === 'changed') found.changed++;
    else found.differences.push({ id, how: result, rev: user.rev, copy_rev: rev });
  } else if (hasLeftSince(record, held)) found.changed++;
  else found.differences.push({ id, how: 'missing_here', copy_rev: rev, note: absence(record, team) });
}

/** Whether the user was among those compared until after the position. */
function hasLeftSince(record: StoredUser | Tombstone | undefined, { at, goneAfter }: HeldUser): boolean {
  if (record === undefined) return false;
  if (!isTombstone(record)) return record.rev > at.seq;
  return goneAfter !== undefined && record.gone_at >= goneAfter;
}

function absence(record: StoredUser | Tombstone | undefined, team: string | undefined): string {
  if (record === undefined) return 'there is and was no such user';
  if (isTombstone(record)) return `hard-deleted at ${toRfc3339(record.gone_at)}`;
  if (!isAlive(record)) return `deleted at ${toRfc3339(record.deleted_at ?? record.updated_at)}, revision ${record.rev}`;
  return `not in the team ${team}, revision ${record.rev}`;
}

/** By the rules of an upsert: what it would change is what differs. */
async function judgeFields(call: Call, dialect: Dialect, users: unknown, at: Position, found: Found): Promise<void> {
  const { backend, caller } = call;
  const command = await stepped(upsertDecoding(dialect, { users }, actorOf(caller)), caller);
  const { changes, errors } = await dryRun(backend, command, dialect);
  const refused = new Map(errors.map(({ path, message }) => [/^users\[([^\]]*)\]/.exec(path)?.[1] ?? '', message]));
  for (const { id } of command.users) {
    const user = backend.directory.user(id);
    const [fields, note] = [changes[id], refused.get(id)];
    if (user !== undefined && user.rev > at.seq) found.changed++;
    else if (user === undefined) continue;
    else if (fields !== undefined) found.differences.push({ id, how: 'differs', rev: user.rev, fields });
    else if (note !== undefined) found.differences.push({ id, how: 'differs', rev: user.rev, note });
    else found.equal++;
  }
  for (const [id, note] of refused) {
    if (!command.users.some((user) => user.id === id)) found.differences.push({ id: isUserId(id) ? id : '', how: 'differs', note });
  }
}
