/** BR: what stops a plan that looks like an accident. The messages are what an operator reads at night, so they are compared whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlanDeps, PlanOptions } from '../../../daemon/sync/plan/plan-types.ts';
import { ndjson, numberedUsers, PlanDirectory, planOf } from '../../support/sync/plan-kit.ts';

interface Case {
  readonly what: string;
  readonly text: string;
  readonly directory?: PlanDirectory;
  readonly options?: Partial<PlanOptions>;
  readonly deps?: Partial<PlanDeps>;
  readonly problems: readonly string[];
  /** With which it is planned all the same. */
  readonly allowedBy?: Partial<PlanOptions>;
}

const known = (count: number) => new PlanDirectory(numberedUsers(count));
const wrongRows = [
  ...numberedUsers(89),
  ...Array.from({ length: 8 }, (_, i) => ({ id: `w${i}`, role: i })),
  { id: 'a b' },
  { id: 'c d' },
  { id: 'u0' },
];
const foreign = known(3);
foreign.isRosterd = false;

const cases: readonly Case[] = [
  {
    what: 'BR1 an empty source while users would be removed',
    text: '\n\n',
    directory: known(3),
    options: { missing: 'deactivate', maxMissing: 1 },
    problems: [
      'users.ndjson has no users; with --missing deactivate, everyone would be deactivated. Nothing was planned. An empty source never means that nobody is left, and no flag allows it.',
    ],
  },
  {
    what: 'BR1 an empty source where nobody is to be removed',
    text: '\n',
    directory: known(3),
    problems: ['users.ndjson has no users. Nothing was planned. Is it the right source?'],
  },
  {
    what: 'BR1 an empty source of a team',
    text: '',
    directory: known(3),
    options: { missing: 'hard-delete', team: 'red' },
    problems: [
      'users.ndjson has no users; with --missing hard-delete, everyone of the team red would be deleted for good. Nothing was planned. An empty source never means that nobody is left, and no flag allows it.',
    ],
  },
  {
    what: 'BR2 a source that breaks off, whatever is allowed',
    text: `${ndjson(numberedUsers(2))}{"id":"u2","na`,
    directory: known(3),
    options: { missing: 'deactivate', maxMissing: 1, maxErrors: 1 },
    problems: [
      'users.ndjson is not whole: it breaks off in its last line, 3. Nothing was planned. The users after the break would count as missing: bring the whole source.',
    ],
  },
  {
    what: 'BR2 also where nobody is to be removed',
    text: '{"id":"u2","na',
    problems: [
      'users.ndjson is not whole: it breaks off in its last line, 1. Nothing was planned. Half a source is not planned: bring the whole source.',
    ],
  },
  {
    what: 'BR3 rows whose id cannot be read while users would be removed',
    text: `${ndjson(numberedUsers(20))}nonsense\n{"id":"a b"}\n`,
    directory: known(20),
    options: { missing: 'deactivate' },
    problems: [
      '2 rows have no id that can be read (lines 21, 22), so their users would count as missing and be deactivated. Nothing was planned. Correct those lines, or leave --missing out.',
    ],
    allowedBy: { missing: 'ignore' },
  },
  {
    what: 'BR4 more than 10% missing',
    text: ndjson(numberedUsers(85)),
    directory: known(100),
    options: { missing: 'deactivate' },
    problems: [
      '15 of the 100 users of the directory are not in users.ndjson (15%) and would be deactivated; --max-missing allows 10%, --max-missing-count 500. Nothing was planned. If that is right: --max-missing 15%',
    ],
    allowedBy: { maxMissing: 0.15 },
  },
  {
    what: 'BR4 more than 500 missing, and more than 10%',
    text: ndjson(numberedUsers(7)),
    directory: known(607),
    options: { missing: 'soft-delete' },
    problems: [
      '600 of the 607 users of the directory are not in users.ndjson (98.8%) and would be soft-deleted; --max-missing allows 10%, --max-missing-count 500. Nothing was planned. If that is right: --max-missing 99% --max-missing-count 600',
    ],
    allowedBy: { maxMissing: 0.99, maxMissingCount: 600 },
  },
  {
    what: 'BR4 more than a number that was named',
    text: ndjson(numberedUsers(96)),
    directory: known(100),
    options: { missing: 'hard-delete', maxMissingCount: 3 },
    problems: [
      '4 of the 100 users of the directory are not in users.ndjson (4%) and would be deleted for good; --max-missing allows 10%, --max-missing-count 3. Nothing was planned. If that is right: --max-missing-count 4',
    ],
    allowedBy: { maxMissingCount: 4 },
  },
  {
    what: 'BR5 more than 10% of the rows wrong',
    text: ndjson(wrongRows),
    problems: [
      '11 of 100 rows are wrong (11%); --max-errors allows 10%. Nothing was planned. The most frequent reasons:\n' +
        '  8 × role: must be string, got number (line 90, 91, 92, 93, 94, …)\n' +
        '  2 × id: may contain only letters a-z, A-Z, digits and the characters @ _ - (line 98, 99)\n' +
        '  1 × line 100 names the same user as line 1; line 1 counts (line 100)\n' +
        'If the other rows are to be planned all the same: --max-errors 11%',
    ],
    allowedBy: { maxErrors: 0.11 },
  },
  {
    what: 'BR6 a scope without users in the directory',
    text: ndjson(numberedUsers(2).map((user) => ({ ...user, teams: ['rde'] }))),
    directory: known(3),
    options: { missing: 'deactivate', team: 'rde' },
    problems: [
      'the directory has nobody in the team rde, but users.ndjson has 2 users for it. Nothing was planned. Is the team spelled right? To bring in the first users of a team, leave --missing out.',
    ],
    allowedBy: { missing: 'ignore' },
  },
  {
    what: 'BR7 a map whose columns no row has',
    text: ndjson(numberedUsers(2)),
    deps: { mapping: { map: (value) => ({ value }), neverFound: () => ['full_nam', 'mail'] } },
    problems: ['the map names columns that no row has: full_nam, mail. Nothing was planned. Correct the map, or take them out of it.'],
  },
  {
    what: 'BR8 users to be removed on a server that cannot list them',
    text: ndjson(numberedUsers(2)),
    directory: foreign,
    options: { missing: 'deactivate' },
    problems: [
      'the server at http://fake is not rosterd and does not list its users, so nobody can be found missing. Nothing was planned. Leave --missing out.',
    ],
    allowedBy: { missing: 'ignore' },
  },
];
for (const { what, text, directory = new PlanDirectory(), options = {}, deps = {}, problems, allowedBy } of cases) {
  test(`${what}: refused with what to do about it, and no plan`, async (t) => {
    const { summary, sink } = await planOf(t, text, directory, options, deps);
    assert.equal(summary.status, 'refused');
    assert.deepEqual(summary.problems, problems);
    assert.ok(sink === 'abandoned' || sink === 'none', sink);
    assert.ok(
      directory.asked.every(({ method }) => method === 'GET'),
      'the daemon was asked about users',
    );
    if (allowedBy === undefined) return;
    const allowed = await planOf(t, text, directory, { ...options, maxErrors: 1, ...allowedBy }, deps);
    assert.deepEqual([allowed.summary.status, allowed.summary.problems], ['planned', []]);
  });
}

test('BR9 errors that only the daemon finds count too', async (t) => {
  const directory = new PlanDirectory();
  directory.refuse = () => 'role "boss" does not exist';
  const { summary, sink } = await planOf(t, ndjson(numberedUsers(250)), directory);
  assert.equal(summary.status, 'refused');
  assert.match(
    summary.problems.join(),
    /^250 of 250 rows are wrong \(100%\);[\s\S]*250 × role: role "boss" does not exist \(line 1, 2, 3, 4, 5, …\)/,
  );
  assert.equal(sink, 'abandoned');
});

test('BR10 what is exactly at a limit is allowed', async (t) => {
  for (const [users, missing] of [
    [100, 29],
    [50, 3],
    [1_000, 70],
  ] as const) {
    const { summary } = await planOf(t, ndjson(numberedUsers(users - missing)), known(users), {
      missing: 'deactivate',
      maxMissing: missing / users,
    });
    assert.equal(summary.counts.deactivate, missing, summary.problems.join());
    const less = await planOf(t, ndjson(numberedUsers(users - missing - 1)), known(users), {
      missing: 'deactivate',
      maxMissing: missing / users,
    });
    assert.equal(less.summary.status, 'refused');
  }
});
