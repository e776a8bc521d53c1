/** BU5: users that connections watch count among what their user holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../../../daemon/core/directory/directory.ts';
import { endOutdated, WATCHED, watchUsers } from '../../../../daemon/edge/live/session/own-interests.ts';
import { Holdings } from '../../../../daemon/edge/live/session/subscriptions/holdings.ts';
import type { Roster } from '../../../../daemon/pipeline/roster.ts';
import { type Interests, Subscriber } from '../../../../daemon/pipeline/tell/subscriber.ts';
import { RosterError } from '../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';

test('BU5 watched users count among the ids of all connections of a user; beyond the bound nothing changes, and ends make room', () => {
  const hub = { change: (subscriber: Subscriber, edit: (interests: Interests) => void) => edit(subscriber.interests) };
  const roster = { hub, directory: new Directory({ epoch: 'test', seq: 0 }) } as unknown as Roster;
  const holdings = new Holdings();
  const ann = { kind: 'user', id: 'ann' } as const;
  const ids = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `u${from + at}`);
  const connection = () => ({ subscriber: new Subscriber({} as never, 'v1', 'ann'), watching: holdings.of(ann, undefined) });
  const watch = ({ subscriber, watching }: ReturnType<typeof connection>, count: number, from?: number): void =>
    watchUsers(roster, subscriber, ann, ids(count, from), watching);
  const all = Array.from({ length: LIMITS.subIdsPerUser / LIMITS.subIds }, connection);
  for (const one of all) watch(one, LIMITS.subIds);
  const late = connection();
  const isRefused = (error: unknown): boolean =>
    error instanceof RosterError &&
    error.kind === 'input' &&
    /presence: at most 20000 ids/.test(`${error.fields[0]?.path}: ${error.message}`);
  assert.throws(() => watch(late, 1), isRefused);
  assert.equal(late.subscriber.interests.size, 0);
  // The oldest of its own make room.
  const [first, second] = all;
  assert.ok(first !== undefined && second !== undefined);
  watch(first, 10, 5_000);
  first.watching.close();
  watch(late, LIMITS.subIds);
  assert.throws(() => watch(connection(), 1), isRefused);
  const watched = second.subscriber.interests.get(WATCHED);
  assert.ok(watched !== undefined);
  second.subscriber.interests.set(WATCHED, Object.assign(Object.create(watched), { want: watched.want, name: '', basis: 'another' }));
  assert.deepEqual(endOutdated(roster, second.subscriber, ann, second.watching), []);
  watch(connection(), 1);
});
