/** Activity and what is counted by it: UA1–UA6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TeamUsage, type TeamUsagePage, teamUsage } from '../../../daemon/core/app/usage.ts';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import type { DirectoryLine } from '../../../daemon/core/directory/record.ts';
import { Usage } from '../../../daemon/core/directory/usage.ts';
import { decodeTeamUsage, decodeUsage, nextOf } from '../../../protocol/app/usage.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { refusedFields } from '../../support/http/refusal.ts';
import { seeded, testOption } from '../../support/random.ts';
import { micros, RulesBench } from '../../support/rules-bench.ts';

test('UA1 a connect moves last_active when it was never set, is 15 minutes old, or was on another day (UTC)', () => {
  const bench = new RulesBench();
  const at = (time: string) => {
    bench.at(time).connect('ann');
    return bench.user('ann').last_active;
  };
  assert.equal(at('2026-11-21T10:00:00Z'), micros('2026-11-21T10:00:00Z'));
  assert.equal(at('2026-11-21T10:14:59.999Z'), micros('2026-11-21T10:00:00Z'));
  assert.equal(at('2026-11-21T10:15:00Z'), micros('2026-11-21T10:15:00Z'));
  assert.equal(at('2026-11-21T23:59:59Z'), micros('2026-11-21T23:59:59Z'));
  assert.equal(at('2026-11-22T00:00:00Z'), micros('2026-11-22T00:00:00Z'));
  assert.equal(at('2026-11-22T00:01:00Z'), micros('2026-11-22T00:00:00Z'));
});

test('UA1 it is part of the change that the connect makes anyway, else silent, and nothing at all when it is not due', () => {
  const bench = new RulesBench();
  const facts = (time: string, name?: string) => {
    bench.at(time);
    return bench.factsOf(() => bench.connect('ann', name === undefined ? {} : { name })).map((fact) => fact.t === 'user' && fact.event);
  };
  assert.deepEqual(facts('2026-11-21T10:00:00Z', 'Ann'), ['created']);
  const created = bench.user('ann');
  assert.deepEqual(facts('2026-11-21T10:01:00Z', 'Ann'), []);
  assert.deepEqual(facts('2026-11-21T11:00:00Z', 'Ann'), ['silent']);
  const { last_active, ...active } = bench.user('ann');
  assert.deepEqual({ ...active, last_active: created.last_active }, created, 'neither revision nor updated_at move');
  assert.equal(last_active, micros('2026-11-21T11:00:00Z'));
  assert.deepEqual(facts('2026-11-21T12:00:00Z', 'Anna'), ['updated']);
  assert.equal(bench.user('ann').last_active, micros('2026-11-21T12:00:00Z'));
});

test('UA1 an upsert keeps last_active', () => {
  const bench = new RulesBench();
  bench.connect('ann');
  const { last_active } = bench.user('ann');
  bench.at('2026-12-21T10:00:00Z').upsert([{ id: 'ann', name: 'Ann' }]);
  assert.equal(bench.user('ann').last_active, last_active);
});

test('UA2 a user counts once a day and once a month, whatever it does; a server that writes users makes nobody active', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
  assert.deepEqual(bench.directory.usage.get('2026-11'), { users: 0, guests: 0 });
  for (const time of ['2026-11-21T10:00:00Z', '2026-11-21T20:00:00Z', '2026-11-22T00:00:00Z']) bench.at(time).connect('ann');
  bench.at('2026-11-22T08:00:00Z').connect('bob');
  bench.at('2026-12-01T00:00:00Z').connect('ann');
  const counted = ['2026-11-20', '2026-11-21', '2026-11-22', '2026-11', '2026-12-01', '2026-12'].map(
    (period) => bench.directory.usage.get(period).users,
  );
  assert.deepEqual(counted, [0, 1, 2, 2, 1, 1]);
});

test('UA2 a user that is deleted and restored is not counted again for when it was active before', () => {
  const bench = new RulesBench();
  bench.at('2026-11-21T10:00:00Z').connect('ann');
  bench.at('2026-11-21T10:01:00Z').delete('ann');
  bench.run({ kind: 'restore', ids: ['ann'] });
  assert.deepEqual([bench.directory.usage.get('2026-11-21').users, bench.directory.usage.get('2026-11').users], [1, 1]);
  bench.at('2026-11-21T11:00:00Z').connect('ann');
  assert.equal(bench.directory.usage.get('2026-11-21').users, 1);
  bench.at('2026-12-02T10:00:00Z').delete('ann');
  bench.run({ kind: 'restore', ids: ['ann'] });
  assert.deepEqual([bench.directory.usage.get('2026-12').users, bench.directory.usage.get('2026-11').users], [0, 1]);
  bench.connect('ann');
  assert.deepEqual([bench.directory.usage.get('2026-12').users, bench.directory.usage.get('2026-12-02').users], [1, 1]);
});

test('UA3 each team counts its own users; guests are counted among all and apart', () => {
  const bench = new RulesBench();
  bench.upsert([
    { id: 'ann', teams: ['red', 'blue', 'red'] },
    { id: 'bob', teams: ['red'] },
    { id: 'cid' },
    { id: 'idle', teams: ['red'] },
  ]);
  for (const id of ['ann', 'bob', 'cid']) bench.connect(id);
  bench.run({ kind: 'guest', input: { id: 'guest', custom: {} } });
  const { usage } = bench.directory;
  assert.deepEqual(usage.get('2026-11-21'), { users: 4, guests: 1 });
  assert.deepEqual([usage.ofTeam('2026-11-21', 'red'), usage.ofTeam('2026-11', 'blue'), usage.ofTeam('2026-11', 'none')], [2, 1, 0]);
  assert.deepEqual([...usage.teams('2026-11')].sort(), ['blue', 'red']);
});

/** Users that come and go for two months: a log, and the directory after it. */
function busyBench(seed: number): RulesBench {
  const random = seeded(seed);
  const pick = (max: number) => Math.floor(random() * max);
  const bench = new RulesBench({ reuseHardDeleted: true });
  let time = micros('2026-10-30T00:00:00Z');
  for (let step = 0; step < 400; step++) {
    time += pick(12 * 3_600) * 1_000_000;
    bench.at(time);
    const id = `u${pick(12)}`;
    const teams = ['red', 'blue', '7', '12', 'constructor-like'].filter(() => random() < 0.4);
    const kind = pick(10);
    try {
      if (kind < 5) bench.connect(id);
      else if (kind < 7) bench.upsert([{ id, teams, role: random() < 0.3 ? 'guest' : 'user' }]);
      else if (kind === 7) bench.delete(id, random() < 0.7 ? 'soft' : 'hard');
      else if (kind === 8) bench.run({ kind: 'restore', ids: [id] });
      else bench.run({ kind: 'guest', input: { id, custom: {}, teams }, fallbackId: `guest-${step}` });
    } catch {
      // Refused: nothing was written.
    }
  }
  return bench;
}

test('UA4 the counts are the same after a replay of the log, and after a snapshot of any position and the rest of the log', () => {
  const seed = testOption('seed', Math.floor(Math.random() * 2 ** 31));
  const bench = busyBench(seed);
  const wanted = JSON.stringify([...bench.directory.usage.lines()]);
  assert.ok(wanted.length > 1_000, 'something was counted');
  const replayed = new Directory({ epoch: 'test', seq: 0 });
  for (const entry of bench.entries) replayed.apply(entry);
  assert.equal(JSON.stringify([...replayed.usage.lines()]), wanted, `seed ${seed}`);
  for (const cut of [0, 1, 50, Math.floor(bench.entries.length / 2), bench.entries.length]) {
    const first = new Directory({ epoch: 'test', seq: 0 });
    for (const entry of bench.entries.slice(0, cut)) first.apply(entry);
    const view = first.freeze();
    // What the view holds must not move with the directory.
    for (const entry of bench.entries.slice(cut)) first.apply(entry);
    const lines: DirectoryLine[] = JSON.parse(JSON.stringify([...view.lines()]));
    const second = new Directory(view.position);
    second.load(lines);
    for (const entry of bench.entries.slice(cut)) second.apply(entry);
    assert.equal(JSON.stringify([...second.usage.lines()]), wanted, `seed ${seed}, cut ${cut}`);
  }
});

function activeUser(at: number, teams: string[]): StoredUser {
  return { id: 'a', rev: 1, role: 'user', teams, custom: {}, created_at: 1, updated_at: 1, last_active: at };
}

test('UA5 only so many days and months are kept, and no line of a snapshot holds more than a thousand teams', () => {
  const usage = new Usage();
  const start = micros('2020-01-01T12:00:00Z');
  const days = 365 * 6;
  for (let day = 0; day < days; day++) usage.changed(undefined, activeUser(start + day * 86_400_000_000, ['red']));
  const lines = [...usage.lines()];
  assert.equal(lines.filter(({ period }) => period.length === 10).length, LIMITS.usageDaysKept);
  assert.equal(lines.filter(({ period }) => period.length === 7).length, LIMITS.usageMonthsKept);
  assert.equal(usage.get('2020-01-01').users, 0);
  assert.equal(usage.get(new Date(start / 1000 + (days - 1) * 86_400_000).toISOString().slice(0, 10)).users, 1);

  const many = new Usage();
  const teams = Array.from({ length: 2_500 }, (_, i) => `team-${i}`);
  for (const team of teams) many.changed(undefined, activeUser(start, [team]));
  const parts = [...many.lines()].filter(({ period }) => period === '2020-01-01');
  assert.deepEqual(
    parts.map((part) => [Object.keys(part.teams).length, part.users]),
    [
      [1_000, 2_500],
      [1_000, 0],
      [500, 0],
    ],
  );
  many.changed(undefined, activeUser(start, ['team-7', 'team-new']));
  assert.deepEqual([many.ofTeam('2020-01-01', 'team-7'), many.ofTeam('2020-01', 'team-new'), many.get('2020-01').users], [2, 1, 2_501]);
  assert.equal(parts[0]?.users, 2_500, 'lines that were handed out do not change');
  const loaded = new Usage();
  for (const line of many.lines()) loaded.load(line);
  assert.deepEqual([...loaded.lines()], [...many.lines()]);
});

function ask(bench: RulesBench, body: object, online: readonly string[] = []) {
  const question = decodeTeamUsage(body, new Date(bench.now / 1000).toISOString().slice(0, 10));
  const steps = teamUsage(bench.directory, question, bench.now, (id) => online.includes(id));
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function named(teams: readonly TeamUsage[], team: string): TeamUsage {
  const found = teams.find((one) => one.team === team);
  assert.ok(found, `${team} is not there`);
  return found;
}

test('UA6 a team is counted by looking at its users: all, of a day, of 30 days, of this month, and who is there', () => {
  const bench = new RulesBench();
  bench.settings({ multi_tenant_enabled: true });
  bench.upsert(['now', 'day', 'week', 'month', 'year', 'never'].map((id) => ({ id, teams: ['red'] })));
  bench.at('2025-11-20T10:00:00Z').connect('year');
  bench.at('2026-10-25T10:00:00Z').connect('month');
  bench.at('2026-11-14T10:00:00Z').connect('week');
  bench.at('2026-11-20T12:00:00Z').connect('day');
  bench.at('2026-11-21T11:00:00Z').connect('now');
  bench.at('2026-11-21T12:00:01Z').upsert([{ id: 'never', teams: ['red', 'new'] }]);
  const { teams } = ask(bench, { start_date: '2026-11-14', end_date: '2026-11-21' }, ['now', 'year']);
  const { daily, ...red } = named(teams, 'red');
  assert.deepEqual(red, { team: 'red', total: 6, last24Hours: 1, last30Days: 4, monthToDate: 3, online: 2 });
  assert.deepEqual(
    daily.map(({ value }) => value),
    [1, 0, 0, 0, 0, 0, 1, 1],
  );
  assert.equal(daily[0]?.date, '2026-11-14');
  assert.deepEqual([named(teams, 'new').total, named(teams, 'new').monthToDate], [1, 0]);
});

test('UA6 a month that is over tells what was counted in it and nothing of now; one without data is empty', () => {
  const bench = new RulesBench({}, '2026-10-05T10:00:00Z');
  bench.settings({ multi_tenant_enabled: true });
  bench.upsert([
    { id: 'ann', teams: ['red'] },
    { id: 'bob', teams: ['blue'] },
  ]);
  bench.connect('ann');
  bench.at('2026-10-06T10:00:00Z').connect('ann');
  bench.at('2026-11-06T10:00:00Z').connect('bob');
  const october = ask(bench, { month: '2026-10' }, ['ann']);
  const { daily, ...red } = named(october.teams, 'red');
  assert.deepEqual(red, { team: 'red', total: 0, last24Hours: 0, last30Days: 0, monthToDate: 1, online: 0 });
  assert.equal(
    daily.reduce((sum, { value }) => sum + value, 0),
    2,
  );
  assert.equal(october.teams.length, 1);
  assert.deepEqual(ask(bench, { month: '2020-01' }), { teams: [], hasMore: false });
  assert.deepEqual(ask(bench, { month: '2030-01' }), { teams: [], hasMore: false });
  assert.deepEqual(
    ask(bench, {}).teams.map(({ team }) => team),
    ['blue', 'red'],
  );
});

test('UA6 a user that gets another team while its team is walked over is met once', () => {
  const bench = new RulesBench();
  bench.settings({ multi_tenant_enabled: true });
  const ids = Array.from({ length: 600 }, (_, i) => `u${i}`);
  for (let from = 0; from < ids.length; from += 100) bench.upsert(ids.slice(from, from + 100).map((id) => ({ id, teams: ['red'] })));
  const steps = teamUsage(bench.directory, decodeTeamUsage({}, '2026-11-21'), bench.now, () => false);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) {
      assert.equal(named(step.value.teams, 'red').total, 600);
      return;
    }
    bench.upsert(ids.slice(0, 50).map((id, i) => ({ id, teams: ['red', `t${bench.now}-${i % 3}`] })));
  }
});

test('UA6 without multi-tenancy there are no teams', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', teams: ['red'] }]);
  bench.connect('ann');
  assert.deepEqual(ask(bench, {}), { teams: [], hasMore: false });
});

test('UA6 pages hold every team once, in order, whatever their names', () => {
  const bench = new RulesBench();
  bench.settings({ multi_tenant_enabled: true });
  const teams = [...Array.from({ length: 70 }, (_, i) => `t${i}`), 'é %"&', '\ud800', '🙂', '1'];
  for (let from = 0; from < teams.length; from += 50) bench.upsert([{ id: `u${from}`, teams: teams.slice(from, from + 50) }]);
  bench.connect('u0');
  const seen: string[] = [];
  let next: string | undefined;
  let pages = 0;
  do {
    const page = ask(bench, { limit: 7, ...(next === undefined ? {} : { next }) });
    assert.ok(page.teams.length <= 7);
    seen.push(...page.teams.map(({ team }) => team));
    const last = page.teams.at(-1);
    next = page.hasMore && last !== undefined ? nextOf(last.team) : undefined;
    pages++;
  } while (next !== undefined);
  assert.deepEqual(
    seen,
    [...teams].sort((a, b) => (a < b ? -1 : 1)),
  );
  assert.equal(pages, Math.ceil(teams.length / 7));
});

test('UA6 what is wrong with a question is named', () => {
  const today = '2026-11-21';
  const cases: readonly [object, string][] = [
    [{ month: '2026' }, 'month'],
    [{ month: '2026-13' }, 'month'],
    [{ month: '2026-1' }, 'month'],
    [{ month: 202611 }, 'month'],
    [{ month: '2026-11', start_date: '2026-11-01' }, 'month'],
    [{ start_date: '2026-02-30' }, 'start_date'],
    [{ start_date: 'yesterday', end_date: today }, 'start_date'],
    [{ end_date: today }, 'start_date'],
    [{ start_date: today, end_date: '2026-11-20' }, 'end_date'],
    [{ start_date: today, end_date: '21.11.2026' }, 'end_date'],
    [{ start_date: '2025-11-20', end_date: today }, 'start_date'],
    [{ limit: 31 }, 'limit'],
    [{ limit: -1 }, 'limit'],
    [{ limit: 1.5 }, 'limit'],
    [{ limit: '7' }, 'limit'],
    [{ next: '%' }, 'next'],
    [{ next: '7' }, 'next'],
  ];
  for (const [body, path] of cases) {
    assert.deepEqual(
      refusedFields(() => decodeTeamUsage(body, today)).map((field) => field.path),
      [path],
      JSON.stringify(body),
    );
  }
  for (const month of ['2026', 'x', '2026-00']) assert.equal(refusedFields(() => decodeUsage({ month }, today))[0]?.path, 'month');
});

test('UA6 a question has defaults, and what Go and PHP send for nothing is nothing', () => {
  const today = '2028-02-10';
  for (const body of [{}, [], undefined, { month: '', start_date: '', end_date: null, limit: 0, next: '' }]) {
    const { days, month, limit, after } = decodeTeamUsage(body, today);
    assert.deepEqual([days.length, days.at(-1), month, limit, after], [29, '2028-02-29', '2028-02', LIMITS.usageTeams, undefined]);
  }
  assert.deepEqual(decodeTeamUsage({ start_date: '2028-02-09', limit: 2 }, today), { days: ['2028-02-09', today], limit: 2 });
  assert.equal(decodeTeamUsage({ start_date: '2027-02-10' }, today).days.length, 366);
  assert.deepEqual(decodeUsage({ month: '' }, today).month, '2028-02');
});

test('UA6 the last day, the last 30 days and the month begin at their first microsecond', () => {
  const now = micros('2026-11-21T12:00:00Z');
  const month = micros('2026-11-01T00:00:00Z');
  const day = 86_400_000_000;
  const counted = (last_active: number) => {
    const bench = new RulesBench();
    bench.settings({ multi_tenant_enabled: true });
    bench.upsert([
      { id: 'ann', teams: ['red'] },
      { id: 'never', teams: ['red'] },
    ]);
    const user = { ...bench.user('ann'), last_active };
    bench.directory.apply({ id: 'x', time: now, first: bench.directory.seq + 1, facts: [{ t: 'user', event: 'silent', user }] });
    const steps = teamUsage(bench.directory, decodeTeamUsage({}, '2026-11-21'), now, () => false).next();
    assert.ok(steps.done === true);
    const { total, last24Hours, last30Days, monthToDate } = named(steps.value.teams, 'red');
    assert.equal(total, 2);
    return [last24Hours, last30Days, monthToDate];
  };
  assert.deepEqual(
    [counted(now - day), counted(now - day + 1)],
    [
      [0, 1, 1],
      [1, 1, 1],
    ],
  );
  assert.deepEqual(
    [counted(now - 30 * day), counted(now - 30 * day + 1)],
    [
      [0, 0, 0],
      [0, 1, 0],
    ],
  );
  assert.deepEqual(
    [counted(month - 1), counted(month)],
    [
      [0, 1, 0],
      [0, 1, 1],
    ],
  );
});

test('UA6 this month counts who is in the team now, a month that is over who was in it then', () => {
  const bench = new RulesBench({}, '2026-10-05T10:00:00Z');
  bench.settings({ multi_tenant_enabled: true });
  bench.upsert([
    { id: 'ann', teams: ['red'] },
    { id: 'bob', teams: ['red'] },
  ]);
  bench.connect('ann');
  bench.at('2026-11-05T10:00:00Z').connect('ann');
  bench.upsert([{ id: 'ann', teams: ['blue'] }]);
  const monthsOf = (question: object) => ask(bench, question).teams.map(({ team, monthToDate, total }) => [team, monthToDate, total]);
  assert.deepEqual(monthsOf({ month: '2026-11' }), [
    ['blue', 1, 1],
    ['red', 0, 1],
  ]);
  assert.deepEqual(monthsOf({ month: '2026-10' }), [['red', 1, 0]]);
  // Days of two months: the month in which they end counts.
  assert.deepEqual(monthsOf({ start_date: '2026-09-20', end_date: '2026-10-10' }), [['red', 1, 0]]);
  bench.at('2026-12-05T10:00:00Z');
  assert.deepEqual(monthsOf({ start_date: '2026-10-20', end_date: '2026-11-10' }), [['red', 1, 0]]);
});

test('UA6 there is more only where a team is left, and the walk pauses after every 256 users and names', () => {
  const bench = new RulesBench();
  bench.settings({ multi_tenant_enabled: true });
  for (let from = 0; from < 512; from += 64)
    bench.upsert(Array.from({ length: 64 }, (_, n) => ({ id: `u${from + n}`, teams: ['red', `t${n % 2}`] })));
  const walked = (question: object): { readonly pauses: number; readonly page: TeamUsagePage } => {
    const steps = teamUsage(bench.directory, decodeTeamUsage(question, '2026-11-21'), bench.now, () => false);
    for (let pauses = 0; ; pauses++) {
      const { done, value } = steps.next();
      if (done === true) return { pauses, page: value };
    }
  };
  for (const [limit, hasMore, pauses] of [
    [1, true, 2],
    [2, true, 2 + 1],
    [3, false, 2 + 1 + 1],
    [4, false, 2 + 1 + 1],
  ] as const) {
    const { page, pauses: made } = walked({ limit });
    assert.deepEqual([page.hasMore, page.teams.map(({ team }) => team), made], [hasMore, ['red', 't0', 't1'].slice(0, limit), pauses]);
  }
});

test('UA6 a month whose days are no longer kept tells the teams that were counted in it', () => {
  const bench = new RulesBench();
  bench.settings({ multi_tenant_enabled: true });
  bench.directory.usage.load({ period: '2024-01', users: 3, guests: 0, teams: { red: 2, blue: 1 } });
  assert.deepEqual(
    ask(bench, { month: '2024-01' }).teams.map(({ team, monthToDate }) => [team, monthToDate]),
    [
      ['blue', 1],
      ['red', 2],
    ],
  );
});
