/** SN1, SN2, MD10, DV4: whatever is applied, every index says what a walk over all users says, after a snapshot too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../daemon/core/directory/directory.ts';
import { Draft } from '../../daemon/core/directory/draft.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import type { Entry, Fact } from '../../protocol/log/entry.ts';
import { nameKey } from '../../protocol/users/names.ts';
import { isAlive, type StoredUser } from '../../protocol/users/user.ts';
import { idsOf } from '../support/decide-bench.ts';
import { seeded, testOption } from '../support/random.ts';
import { keptLines } from '../support/store/snapshot-contract.ts';

const NAMES = ['Ann', 'ann', 'BOB', 'Carl', '!!!'];
const TEAMS = ['red', 'blue', 'green'];
const ROLES = ['user', 'admin', 'boss'];
const DEVICES = ['d1', 'd2', 'd3'];
const IDS = Array.from({ length: 25 }, (_, n) => `u${n}`);

class Changes {
  readonly #random: () => number;
  readonly #ids: readonly string[];

  constructor(random: () => number, ids = IDS) {
    this.#random = random;
    this.#ids = ids;
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }

  some<T>(from: readonly T[]): T[] {
    return from.filter(() => this.#random() < 0.4);
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  user(seq: number): StoredUser {
    const ends = (): { expires?: number } => (this.chance(0.6) ? { expires: 100 + Math.floor(this.#random() * 20) } : {});
    return {
      ...{
        id: this.pick(this.#ids),
        rev: seq,
        role: this.pick(ROLES),
        teams: this.some(TEAMS),
        custom: {},
        created_at: 1,
        updated_at: seq,
      },
      ...(this.chance(0.8) ? { name: this.pick(NAMES) } : {}),
      ...(this.chance(0.3) ? { teams_role: { red: this.pick(ROLES) } } : {}),
      ...(this.chance(0.3) ? { devices: this.some(DEVICES).map((id) => ({ id, push_provider: 'firebase', created_at: 1 })) } : {}),
      ...(this.chance(0.3)
        ? {
            bans: [
              { created_at: 1, ...ends() },
              { created_at: 1, cid: 'c', ...ends() },
            ],
          }
        : {}),
      ...(this.chance(0.3) ? { mutes: [{ id: 'x', created_at: 1, updated_at: 1, ...ends() }] } : {}),
      ...(this.chance(0.3) ? { flags: [{ by: this.pick(IDS), created_at: 1, item_id: 'i' }] } : {}),
      ...(this.chance(0.15) ? { deleted_at: seq, deleted: 'soft' } : {}),
    } as StoredUser;
  }

  fact(seq: number): Fact {
    const user = this.user(seq);
    if (this.chance(0.1)) return { t: 'deleted', mode: 'hard', user: { ...user, deleted_at: seq }, options: {} } as Fact;
    return { t: 'user', event: 'updated', user };
  }
}

/** What a walk over all records finds. */
function walked(records: Iterable<StoredUser | { readonly id: string }>) {
  const living = [...records].filter((record): record is StoredUser => 'rev' in record && isAlive(record));
  const idsOf = (holds: (user: StoredUser) => boolean): string[] =>
    living
      .filter(holds)
      .map(({ id }) => id)
      .sort();
  const firstEnd = ({ bans = [], mutes = [] }: StoredUser): number | undefined => {
    const ends = [...bans, ...mutes].flatMap(({ expires }) => expires ?? []);
    return ends.length === 0 ? undefined : Math.min(...ends);
  };
  const due = living
    .flatMap((user) => ({ id: user.id, at: firstEnd(user) ?? Number.POSITIVE_INFINITY }))
    .filter(({ at }) => at !== Number.POSITIVE_INFINITY)
    .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  return {
    size: living.length,
    names: NAMES.map((name) => idsOf((user) => user.name !== undefined && nameKey(user.name) === nameKey(name))),
    teams: TEAMS.map((team) => idsOf((user) => user.teams.includes(team))),
    roles: ROLES.map((role) => idsOf((user) => user.role === role || Object.values(user.teams_role ?? {}).includes(role)).length),
    reporters: IDS.map((id) => idsOf(({ flags = [] }) => flags.some(({ by }) => by === id)).length),
    devices: DEVICES.map((device) => idsOf(({ devices = [] }) => devices.some(({ id }) => id === device))),
    banned: idsOf(({ bans }) => bans !== undefined),
    next: due[0]?.at,
    due: [99, 105, 110, 119].map((now) => due.filter(({ at }) => at <= now).map(({ id }) => id)),
    ending: due.length,
  };
}

/** What the indexes say. */
function indexed(directory: Directory): ReturnType<typeof walked> {
  const sorted = (ids: Iterable<string>): string[] => [...ids].sort();
  return {
    size: directory.size,
    names: NAMES.map((name) => sorted(idsOf(directory, directory.lookup.names.rows(nameKey(name))))),
    teams: TEAMS.map((team) => sorted(idsOf(directory, directory.lookup.teams.rows(team)))),
    roles: ROLES.map((role) => directory.roles.get(role)),
    reporters: IDS.map((id) => directory.reporters.get(id)),
    devices: DEVICES.map((device) => sorted(directory.devices.holders(device))),
    banned: sorted(directory.bans.ids()),
    next: directory.expiry.next,
    due: [99, 105, 110, 119].map((now) => directory.expiry.dueBy(now, 1_000)),
    ending: directory.expiry.size,
  };
}

const linesOf = (directory: Directory): unknown[] => JSON.parse(JSON.stringify([...directory.freeze().lines()]));

const packedLinesOf = (directory: Directory): unknown[] => keptLines(directory.freeze().packed().lines());

test('SN1 SN2 MD10 DV4 indexes and records agree, during changes, and in a directory loaded from a snapshot that goes on', (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const changes = new Changes(seeded(seed));
  const directory = new Directory({ epoch: 'e', seq: 0 });
  let copy: Directory | undefined;
  for (let step = 0; step < 300; step++) {
    const first = directory.seq + 1;
    const facts = Array.from({ length: 1 + (step % 3) }, (_, index) => changes.fact(first + index));
    const entry: Entry = { id: `e${step}`, time: first, first, facts };
    const applied = directory.apply(structuredClone(entry));
    assert.deepEqual(
      applied.map(({ seq }) => seq),
      facts.map((_, index) => first + index),
    );
    copy?.apply(structuredClone(entry));
    const expected = walked(directory.records());
    assert.deepEqual(indexed(directory), expected, `seed ${seed}, step ${step}`);
    for (const team of TEAMS) assert.equal(directory.lookup.teams.count(team), expected.teams[TEAMS.indexOf(team)]?.length);
    assert.deepEqual([...directory.lookup.teams.keys()].sort(), TEAMS.filter((_, index) => expected.teams[index]?.length !== 0).sort());
    for (const key of ['ann', 'bob']) {
      const teams = changes.some(TEAMS);
      const found = new Set(idsOf(directory, directory.lookup.ofNameOrTeams(key, teams)));
      for (const user of directory.users()) {
        const isWanted = user.name !== undefined && nameKey(user.name) === key && user.teams.some((team) => teams.includes(team));
        if (isWanted) assert.ok(found.has(user.id), `seed ${seed}: ${user.id} holds ${key}`);
      }
    }
    if (copy !== undefined) {
      assert.deepEqual(indexed(copy), expected, `seed ${seed}, step ${step}, loaded`);
      assert.deepEqual([copy.position, copy.time, copy.hasEntry(entry.id)], [directory.position, directory.time, true]);
    }
    if (step % 50 === 25) {
      copy = new Directory(directory.position);
      copy.load((step % 100 === 25 ? linesOf(directory) : packedLinesOf(directory)) as never);
      assert.equal(copy.isIndexed, false);
      // Changes that come before the indexes are filled are in them, too.
      if (step % 100 === 25) while (copy.indexStep());
    }
  }
  assert.ok(copy !== undefined);
  assert.deepEqual(
    new Set(linesOf(copy).map((line) => JSON.stringify(line))),
    new Set(linesOf(directory).map((line) => JSON.stringify(line))),
  );
});

test('SN2 users that a log adds after a start are in the indexes, however far they are filled when one is added or changed', (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  for (const loaded of [0, 400]) {
    const changes = new Changes(
      seeded(seed),
      Array.from({ length: 1_500 }, (_, n) => `u${n}`),
    );
    const first = new Directory({ epoch: 'e', seq: 0 });
    const apply = (directory: Directory): void => {
      const seq = directory.seq + 1;
      directory.apply({ id: `e${seq}`, time: seq, first: seq, facts: [changes.fact(seq)] });
    };
    for (let n = 0; n < loaded; n++) apply(first);
    const directory = new Directory(first.position);
    directory.load(packedLinesOf(first) as never);
    directory.indexLater();
    for (let n = 0; n < 1_200; n++) apply(directory);
    assert.equal(directory.isIndexed, false);
    const inOrder = (): string[] => Array.from(directory.order.from(''), (row) => directory.bytes.viewOf(row).id);
    assert.deepEqual(inOrder(), [], 'none is indexed before the first step');
    while (directory.indexStep()) for (let n = 0; n < 300; n++) apply(directory);
    for (let n = 0; n < 300; n++) apply(directory);
    assert.deepEqual(indexed(directory), walked(directory.records()), `seed ${seed}, ${loaded} loaded`);
    assert.deepEqual(inOrder(), Array.from(directory.records(), ({ id }) => id).sort());
  }
});

test('SN1 an entry is applied only behind the one before it, and the ids of the last ones are remembered', () => {
  const directory = new Directory({ epoch: 'e', seq: 5 });
  const changes = new Changes(seeded(3));
  const entry = (n: number): Entry => ({ id: `e${n}`, time: n, first: n, facts: [changes.fact(n)] });
  assert.throws(() => directory.apply(entry(5)), /does not follow/);
  assert.throws(() => directory.apply(entry(7)), /does not follow/);
  for (let n = 6; n < 6 + LIMITS.requestIdsKept + 1; n++) directory.apply(entry(n));
  assert.deepEqual(
    [directory.hasEntry('e6'), directory.hasEntry('e7'), directory.hasEntry(`e${6 + LIMITS.requestIdsKept}`)],
    [false, true, true],
  );
});

test('LG5 a draft is in the epoch of its directory, at the seq behind it', () => {
  const draft = new Draft(new Directory({ epoch: 'e', seq: 5 }));
  assert.deepEqual([draft.epoch, draft.nextSeq], ['e', 6]);
});
