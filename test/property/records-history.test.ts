/**
 * SN4, SN5, SN6: whatever is put, changed and deleted, the directory, its open views, its walks and what is loaded from its snapshots of either
 * format hold what plain objects would.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../daemon/core/directory/directory.ts';
import type { FrozenView } from '../../daemon/core/directory/frozen-view.ts';
import { isTombstone, type Tombstone, tombstoneOf } from '../../daemon/core/directory/record.ts';
import { wholeUser } from '../../daemon/core/directory/records/user-view.ts';
import { runQuery } from '../../daemon/core/users/query.ts';
import type { Fact } from '../../protocol/log/entry.ts';
import { WorkMeter } from '../../protocol/users/finding/filter-cost.ts';
import { compileFilter } from '../../protocol/users/finding/filter-match.ts';
import { compareUsers, parseQuery, type QuerySpec } from '../../protocol/users/finding/query.ts';
import { isAlive, type StoredUser } from '../../protocol/users/user.ts';
import { seeded, testOption } from '../support/random.ts';
import { keptLines } from '../support/store/snapshot-contract.ts';
import { HostileUsers, PATHS, TEXTS } from '../support/worlds/hostile-users.ts';

type Held = StoredUser | Tombstone;
type Model = Map<string, string>;

const IDS = ['', 'é', 'a"b', '\n', '\ud800', '__proto__', ...Array.from({ length: 60 }, (_, at) => `user-${at}`)];
const FIELDS = ['id', 'name', 'image', 'language', 'role', 'teams', 'created_at', 'last_active', 'deactivated_at', 'banned', 'invisible'];

class History {
  readonly directory = new Directory({ epoch: 'e', seq: 0 }, [3, 3]);
  readonly model: Model = new Map();
  readonly #users: HostileUsers;
  readonly #views: { readonly view: FrozenView; readonly model: Model }[] = [];
  /** A walk that goes on while all else happens, and how far it is. */
  #walk = this.directory.bytes.views()[Symbol.iterator]();
  #walked = 0;

  constructor(users: HostileUsers) {
    this.#users = users;
  }

  step(): void {
    const users = this.#users;
    const seq = this.directory.seq + 1;
    const record = users.record(users.pick(IDS), seq);
    const user = isTombstone(record) ? ({ ...blank(record.id, seq), deleted_at: seq, deleted: 'soft' } as StoredUser) : record;
    const isGone = isTombstone(record);
    const fact = isGone ? { t: 'deleted', mode: 'hard', user, options: {} } : { t: 'user', user, by: 'server' };
    this.directory.apply({ id: `e${seq}`, first: seq, time: seq, facts: [fact as unknown as Fact] });
    this.model.set(user.id, JSON.stringify(isGone ? tombstoneOf(user) : user));
    if (users.chance(0.02)) this.#views.push({ view: this.directory.freeze(), model: new Map(this.model) });
    if (users.chance(0.02)) this.#release();
    if (users.chance(0.3)) this.#walkOn();
  }

  #release(): void {
    const [opened] = this.#views.splice(this.#users.below(this.#views.length + 1), 1);
    if (opened === undefined) return;
    same(opened.view, opened.model);
    sameLoaded(opened.view, opened.model);
    opened.view.release();
  }

  #walkOn(): void {
    const next = this.#walk.next();
    if (next.done === true) {
      assert.equal(this.#walked, this.model.size);
      this.#walk = this.directory.bytes.views()[Symbol.iterator]();
      this.#walked = 0;
      return;
    }
    this.#walked++;
    const record = (next.value.state & 1) === 0 ? next.value.whole() : this.directory.record(next.value.id);
    assert.equal(JSON.stringify(record), this.model.get(next.value.id));
  }

  end(): void {
    same(this.directory, this.model);
    while (this.#views.length > 0) this.#release();
    const view = this.directory.freeze();
    sameLoaded(view, this.model);
    view.release();
  }
}

function blank(id: string, rev: number): StoredUser {
  return { id, rev, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: rev };
}

function same(held: Pick<Directory | FrozenView, 'records' | 'record'>, model: Model): void {
  assert.deepEqual(
    Array.from(held.records(), (record) => JSON.stringify(record)),
    [...model.values()],
  );
  for (const [id, text] of model) assert.equal(JSON.stringify(held.record(id)), text);
}

/** Saved in both formats, loaded, and saved again in the other one. */
function sameLoaded(view: FrozenView, model: Model): void {
  const plain = loaded(view.lines());
  const packed = loaded(view.packed().lines());
  for (const directory of [plain, packed]) {
    same(directory, model);
    assert.equal(directory.size, view.size);
  }
  same(loaded(plain.freeze().packed().lines()), model);
  same(loaded(packed.freeze().lines()), model);
  const scanned: string[] = [];
  for (const record of view.scan()) scanned.push(JSON.stringify(isTombstone(record) ? record : wholeUser(record)));
  assert.deepEqual(scanned, [...model.values()]);
}

function loaded(lines: Iterable<object>): Directory {
  const directory = new Directory({ epoch: 'e', seq: 1 }, [9, 9]);
  for (const line of keptLines(lines)) directory.load([line as never]);
  return directory;
}

function anyQuery(users: HostileUsers): QuerySpec | undefined {
  const value = (): unknown => users.pick<unknown>([users.pick(TEXTS), users.pick([0, 7, 1.5, 1e21]), true, null, [7], { a: 7 }]);
  const test = (): unknown =>
    users.pick<() => unknown>([
      ...[() => value(), () => ({ $eq: value() }), () => ({ $in: [value(), value()] }), () => ({ $exists: users.chance(0.5) })],
      ...[() => ({ [users.pick(['$gt', '$gte', '$lt', '$lte'])]: value() }), () => ({ $ne: value() }), () => ({ $nin: [value()] })],
      ...[() => ({ [users.pick(['$autocomplete', '$q'])]: users.pick(TEXTS) }), () => ({ $contains: value() })],
    ])();
  const condition = (): object => ({ [users.pick([...FIELDS, ...PATHS])]: test() });
  const sort = Array.from({ length: users.below(3) }, () => ({ field: users.pick([...FIELDS, ...PATHS]), direction: users.pick([1, -1]) }));
  try {
    return parseQuery({
      ...{
        filter_conditions: users.chance(0.4) ? condition() : { [users.pick(['$or', '$and', '$nor'])]: [condition(), condition()] },
        sort,
      },
      ...{ include_deactivated_users: users.chance(0.5), include_deleted_users: users.chance(0.5), limit: 100 },
    });
  } catch {
    // Not every field has every operator.
    return undefined;
  }
}

/** What the query finds among plain objects. */
function among(records: readonly Held[], query: QuerySpec): string[] {
  const matches = compileFilter(query.filter);
  const users = records.filter((record): record is StoredUser => !isTombstone(record));
  return users
    .filter((user) => (isAlive(user) || query.includeDeleted) && (user.deactivated_at === undefined || query.includeDeactivated))
    .filter((user) => matches(user, false))
    .sort(compareUsers(query.sort, new WorkMeter()))
    .slice(0, query.limit)
    .map((user) => JSON.stringify(user));
}

test('SN4 SN5 SN6 a history of hostile users is what plain objects would hold, in views, walks, queries and snapshots', (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  const steps = testOption('runs', 200);
  t.diagnostic(`seed ${seed}`);
  const users = new HostileUsers(seeded(seed));
  const history = new History(users);
  let found = 0;
  for (let step = 0; step < steps; step++) {
    history.step();
    const query = step % 2 === 0 ? anyQuery(users) : undefined;
    if (query === undefined) continue;
    const records = Array.from(history.model.values(), (text) => JSON.parse(text) as Held);
    const walk = runQuery(history.directory, query, () => false);
    let next = walk.next();
    while (next.done !== true) next = walk.next();
    const page = next.value.map((user) => JSON.stringify(user));
    assert.deepEqual(page, among(records, query), JSON.stringify(query));
    found += page.length;
  }
  history.end();
  assert.ok(found > 0);
});
