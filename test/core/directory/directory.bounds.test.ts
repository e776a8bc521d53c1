/** SN1, LG5, SN2, UN3: what the directory keeps beside its users, and how much of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_APP, Directory } from '../../../daemon/core/directory/directory.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Task } from '../../../protocol/log/documents.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { idsOf } from '../../support/decide-bench.ts';

const user = (id: string, more: Partial<StoredUser> = {}): StoredUser => ({
  ...{ id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 },
  ...more,
});

class Log {
  readonly directory = new Directory({ epoch: 'e', seq: 10 });

  apply(...facts: Fact[]) {
    const first = this.directory.seq + 1;
    return this.directory.apply({ id: `entry ${first}`, time: first * 100, first, facts });
  }
}

const task = (id: string, status: Task['status']): Fact => ({
  t: 'doc',
  kind: 'task',
  id,
  doc: { id, kind: 't', status, created_at: 1, updated_at: 1 },
});

test('SN1 each change of a user has the seq of its fact; settings and documents are none', () => {
  const log = new Log();
  const { directory } = log;
  assert.deepEqual([directory.position, directory.time, directory.appSeq, directory.app], [{ epoch: 'e', seq: 10 }, 0, 0, DEFAULT_APP]);
  const ann = user('ann');
  const app = { enforce_unique_usernames: 'app' } as const;
  const created: Fact = { t: 'user', event: 'created', user: ann };
  const custom: Fact = { t: 'custom', user: ann, type: 'x', custom: {} };
  const deleted: Fact = { t: 'deleted', mode: 'hard', options: {}, user: { ...ann, deleted_at: 5, deleted: 'pruning' } };
  const changes = log.apply(created, task('t', 'running'), custom, { t: 'app', app }, deleted);
  assert.deepEqual(changes, [
    { seq: 11, fact: created, before: undefined, after: ann },
    { seq: 13, fact: custom, before: ann, after: ann },
    { seq: 15, fact: deleted, before: ann, after: deleted.user },
  ]);
  assert.deepEqual([directory.position, directory.time, directory.appSeq, directory.app], [{ epoch: 'e', seq: 15 }, 1_100, 14, app]);
  assert.deepEqual([directory.record('ann'), directory.user('ann'), directory.size], [{ id: 'ann', gone_at: 5 }, undefined, 0]);
  for (const first of [15, 17]) {
    assert.throws(() => directory.apply({ id: 'x', time: 1, first, facts: [created] }), /does not follow position 15/);
  }
});

test('LG5 the ids of so many entries are remembered, the last ones, and survive a snapshot', () => {
  const log = new Log();
  for (let n = 0; n < LIMITS.requestIdsKept; n++) log.apply({ t: 'app', app: DEFAULT_APP });
  assert.ok(log.directory.hasEntry('entry 11'));
  log.apply({ t: 'app', app: DEFAULT_APP });
  assert.deepEqual(
    [log.directory.hasEntry('entry 11'), log.directory.hasEntry('entry 12'), log.directory.hasEntry('other')],
    [false, true, false],
  );
  const view = log.directory.freeze();
  const copy = new Directory(view.position);
  copy.load(view.lines());
  assert.deepEqual([copy.hasEntry('entry 11'), copy.hasEntry('entry 12')], [false, true]);
});

test('BU8 above the number of tasks kept, the oldest that has ended goes, and none that runs', () => {
  const log = new Log();
  const { docs } = log.directory;
  const most = LIMITS.tasksKept;
  log.apply(
    task('first', 'running'),
    task('second', 'failed'),
    ...Array.from({ length: most - 2 }, (_, n) => task(`t${n}`, n === 0 ? 'completed' : 'pending')),
  );
  assert.equal(docs.count('task'), most);
  log.apply(task('more', 'pending'));
  assert.deepEqual([docs.count('task'), docs.get('task', 'second'), docs.get('task', 'first')?.status], [most, undefined, 'running']);
  log.apply(task('most', 'pending'));
  assert.deepEqual([docs.count('task'), docs.get('task', 't0')], [most, undefined]);
  log.apply(task('beyond', 'pending'));
  assert.equal(docs.count('task'), most + 1, 'what still runs is kept, however many there are');
  // Other documents have no such bound.
  log.apply({ t: 'doc', kind: 'role', id: 'r', doc: { name: 'r', created_at: 1, updated_at: 1 } });
  assert.equal(docs.count('task'), most + 1);
});

test('SN1 a snapshot without a seq of the settings counts them as changed at its position, and names as compared by the first keys', () => {
  const app = { enforce_unique_usernames: 'team' } as const;
  const loaded = (more: object): Directory => {
    const directory = new Directory({ epoch: 'e', seq: 7 });
    directory.load([{ state: { time: 3, app, entries: ['a'], ...more } }]);
    return directory;
  };
  const old = loaded({});
  assert.deepEqual([old.appSeq, old.nameKeyVersion, old.time, old.app, old.hasEntry('a')], [7, 1, 3, app, true]);
  const current = loaded({ app_seq: 4, names: 2 });
  assert.deepEqual([current.appSeq, current.nameKeyVersion], [4, 2]);
});

test('SN2 a lookup in an index completes it first; until then it is filled in steps', () => {
  const of = (): Directory => {
    const directory = new Directory({ epoch: 'e', seq: 1 });
    const users = Array.from({ length: 600 }, (_, n) => user(`u${n}`, { name: `N ${n}`, teams: ['all', ...(n === 599 ? ['last'] : [])] }));
    directory.load([
      ...users.map((one) => ({ user: one })),
      { user: user('gone', { name: 'N 1', teams: ['last'], deleted_at: 5, deleted: 'soft' }) },
      { gone: { id: 'x', gone_at: 1 } },
    ]);
    return directory;
  };
  const stepped = of();
  let steps = 0;
  while (stepped.indexStep()) steps++;
  assert.deepEqual([steps, stepped.isIndexed, stepped.indexStep()], [2, true, false]);
  const lookups: readonly [string, (directory: Directory) => unknown, unknown][] = [
    ['by name', (directory) => idsOf(directory, directory.lookup.names.rows('n599')), ['u599']],
    ['by team', (directory) => idsOf(directory, directory.lookup.teams.rows('last')), ['u599']],
    ['in a team', (directory) => directory.lookup.teams.count('all'), 600],
    ['teams', (directory) => [...directory.lookup.teams.keys()].sort(), ['all', 'last']],
    ['by name or teams', (directory) => idsOf(directory, directory.lookup.ofNameOrTeams('n1', ['last'])), ['u1']],
  ];
  for (const [name, look, expected] of lookups) {
    const directory = of();
    assert.equal(directory.isIndexed, false);
    assert.deepEqual(look(directory), expected, name);
    assert.deepEqual([directory.isIndexed, look(directory)], [true, expected], name);
  }
});

test('UN3 a name within teams is looked for among those with the name or those in the teams, whichever are fewer', () => {
  const log = new Log();
  log.apply(
    ...['a', 'b', 'c'].map(
      (id): Fact => ({ t: 'user', event: 'created', user: user(id, { name: 'Same', teams: id === 'a' ? ['red'] : ['blue'] }) }),
    ),
    ...['d', 'e'].map((id): Fact => ({ t: 'user', event: 'created', user: user(id, { name: id, teams: ['red'] }) })),
  );
  const asked = (key: string, teams: readonly string[]) => idsOf(log.directory, log.directory.lookup.ofNameOrTeams(key, teams));
  assert.deepEqual(asked('same', ['blue']), ['b', 'c'], 'two in the team, three with the name');
  assert.deepEqual(asked('same', ['red']), ['a', 'b', 'c'], 'as many');
  assert.deepEqual(asked('d', ['red', 'blue']), ['d']);
  assert.deepEqual(asked('same', []), []);
});
