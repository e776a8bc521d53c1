/** What goes wrong between a log and PostgreSQL: lost, late and unclean answers, dead servers and connections (PL2–PL4, PL6, PL7, LG16). */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { findPostgres } from '../../../../daemon/cli/cluster/programs.ts';
import { LogEpochChanged, LogUnavailable } from '../../../../store/log.ts';
import { PgConnection } from '../../../../store/postgres/link/connection.ts';
import { PostgresUnusable, postgresTargets } from '../../../../store/postgres/link/target.ts';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import { openHead, requireSync, verifyHead } from '../../../../store/postgres/log/head.ts';
import type { PostgresLog } from '../../../../store/postgres/log/log.ts';
import { eventually } from '../../../support/eventually.ts';
import { appendOne, draft, entryOf, readCount } from '../../../support/store/entries.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';
import { startPostgres } from '../../../support/sync/postgres.ts';

const kit = PgKit.ofProcess();
const APPEND = 'rosterd-append';

const count = (app: string): Promise<string> => kit.postgres.sql(`select count(*) from rosterd.entry where app = '${app}'`);

async function idsOf(log: PostgresLog, length: number): Promise<readonly string[]> {
  return (await readCount(log, 0, length)).map(({ id }) => id);
}

const isUnknown = (error: unknown): boolean => error instanceof LogUnavailable && error.outcome === 'unknown';
const isNotWritten = (error: unknown): boolean => error instanceof LogUnavailable && error.outcome === 'not-written';

test('PL3 an acknowledgement that is lost after the commit is found out: stored once, answered as stored', pgOptions, async () => {
  const { log, proxy } = await kit.node();
  for (let n = 0; n < 10; n++) {
    proxy.once(APPEND, async (exchange) => {
      await exchange.forward();
      exchange.cut();
    });
    const [first, second] = await Promise.all([log.append(n * 2, draft(`a${n}`)), log.append(n * 2 + 1, draft(`b${n}`))]);
    assert.deepEqual([entryOf(first).first, entryOf(second).first], [n * 2 + 1, n * 2 + 2]);
  }
  assert.equal(new Set(await idsOf(log, 20)).size, 20);
});

test('PL3 an append that never arrived is sent again', pgOptions, async () => {
  const app = randomUUID();
  const { log, proxy } = await kit.node(app);
  proxy.once(APPEND, async (exchange) => exchange.cut());
  assert.equal(entryOf(await log.append(0, draft('a', { facts: 2 }))).first, 1);
  assert.equal(await count(app), '1\n');
});

test('PL3 an append that arrives late, between the look and the next attempt, is not applied as well', pgOptions, async () => {
  for (let round = 0; round < 5; round++) {
    const app = randomUUID();
    const { log, proxy } = await kit.node(app);
    let lateArrives = async (): Promise<void> => {};
    proxy.once(APPEND, async (exchange) => {
      lateArrives = async () => {
        await exchange.forward();
        exchange.cut();
      };
      // The second attempt is let through only after the first has arrived.
      proxy.once(APPEND, async (again) => {
        await lateArrives();
        again.answer(await again.forward());
      });
      exchange.cutClient();
    });
    const result = await log.append(0, draft('a'));
    assert.equal(result.status, 'appended', 'it is stored, and answered as stored');
    assert.equal(await count(app), '1\n');
    assert.equal(entryOf(await log.append(1, draft('b'))).first, 2);
  }
});

test('PL3 another writer that came in between makes it a conflict, however the answer was lost', pgOptions, async () => {
  const app = randomUUID();
  const [one, other] = [await kit.node(app), await kit.node(app)];
  one.proxy.once(APPEND, async (exchange) => {
    await appendOne(other.log, draft('rival', { facts: 3 }));
    exchange.cut();
  });
  assert.deepEqual(await one.log.append(0, draft('a')), { status: 'conflict', head: 3 });
  assert.deepEqual(await idsOf(one.log, 1), ['rival']);
});

test('PL3 the fence that one process raises costs the others an attempt, not a conflict', pgOptions, async () => {
  const app = randomUUID();
  const [one, other] = [await kit.node(app), await kit.node(app, { pulseMs: 60_000 })];
  await kit.postgres.sql(`update rosterd.head set fence = fence + 5 where app = '${app}'`);
  assert.equal((await other.log.append(0, draft('a'))).status, 'appended');
  await eventually(() => one.log.head.seq === 1, 'the announcement comes');
  assert.equal((await one.log.append(1, draft('b'))).status, 'appended');
});

test('PL3 an answer that does not come is unknown at the deadline, and found out before anything else is sent', pgOptions, async () => {
  const app = randomUUID();
  const { log, proxy } = await kit.node(app, { deadlineMs: 500, deadAfterMs: 60_000 });
  let answer = (): void => {};
  proxy.once(APPEND, async (exchange) => {
    const bytes = await exchange.forward();
    answer = () => exchange.answer(bytes);
  });
  const started = performance.now();
  const [a, b] = await Promise.allSettled([log.append(0, draft('a')), delay(50).then(() => log.append(1, draft('b')))]);
  const ms = performance.now() - started;
  assert.ok(ms >= 450 && ms < 30_000, `${ms} ms`);
  assert.ok(a.status === 'rejected' && isUnknown(a.reason), 'it was sent');
  assert.ok(b.status === 'rejected' && isNotWritten(b.reason), 'it was not');
  await assert.rejects(log.append(0, draft('c')), isNotWritten);
  answer();
  assert.deepEqual(await idsOf(log, 1), ['a']);
  assert.equal(entryOf(await log.append(1, draft('d'))).first, 2);
});

test('PL3 PL6 a backend that is terminated, or all of them, loses and doubles nothing', pgOptions, async () => {
  const app = randomUUID();
  const [one, other] = [await kit.node(app, { deadlineMs: 20_000 }), await kit.node(app)];
  let isOver = false;
  const terminating = (async () => {
    for (let n = 0; !isOver; n++) {
      const which = n % 2 === 0 ? "application_name = 'rosterd-writer'" : "application_name like 'rosterd-%'";
      await kit.postgres.sql(`select pg_terminate_backend(pid) from pg_stat_activity where ${which}`);
      await delay(500);
    }
  })();
  let stored = 0;
  for (let n = 0; n < 60; n++) {
    const result = await one.log.append(n, draft(`e${n}`));
    assert.equal(result.status, 'appended', 'nobody else writes');
    stored++;
    await delay(40);
  }
  isOver = true;
  await terminating;
  assert.deepEqual(
    await idsOf(other.log, 60),
    Array.from({ length: stored }, (_, n) => `e${n}`),
  );
});

test('PL3 PL6 PostgreSQL is killed and started again: everything acknowledged is there, once and in order', pgOptions, async () => {
  const app = randomUUID();
  const [one, other] = [await kit.node(app, { deadlineMs: 30_000 }), await kit.node(app)];
  const acknowledged: string[] = [];
  let isOver = false;
  const writing = (async () => {
    while (!isOver) {
      const id = `e${acknowledged.length}`;
      assert.equal((await one.log.append(acknowledged.length, draft(id))).status, 'appended');
      acknowledged.push(id);
    }
  })();
  for (let n = 0; n < 3; n++) {
    await delay(300);
    await kit.postgres.kill();
    await eventually(() => one.log.status.state === 'away' && other.log.status.state === 'away', 'it is noticed');
    await kit.postgres.start();
    const before = acknowledged.length;
    await eventually(() => acknowledged.length > before + 5, 'it goes on');
  }
  isOver = true;
  await writing;
  assert.ok(acknowledged.length > 20, `${acknowledged.length} appends`);
  assert.deepEqual(await idsOf(other.log, acknowledged.length), acknowledged);
  assert.deepEqual([one.log.status.state, other.log.status.state], ['ready', 'ready']);
});

test('PL6 a server that says nothing is given up, and the next one that answers is used', pgOptions, async () => {
  const { log, proxy } = await kit.node(randomUUID(), { pulseMs: 100, deadAfterMs: 300, deadlineMs: 10_000 });
  await appendOne(log, draft('a'));
  proxy.isSilent = true;
  const appending = log.append(1, draft('b'));
  await eventually(() => log.status.state === 'away', 'it is noticed');
  assert.match(log.status.state === 'away' ? log.status.reason : '', /has not answered for 300 ms|timeout|closed|terminated/);
  proxy.isSilent = false;
  assert.equal(entryOf(await appending).first, 2);
  await eventually(() => log.status.state === 'ready', 'it is ready again');
});

test('PL10 a server that says nothing is away after 2 s, since it was last asked, and back with the next answer', pgOptions, async () => {
  const { log, proxy } = await kit.node(randomUUID(), { pulseMs: 100 });
  const held: (() => void)[] = [];
  proxy.on('rosterd-beat', async (exchange) => {
    const answer = await exchange.forward();
    await new Promise<void>((resolve) => held.push(resolve));
    exchange.answer(answer);
  });
  await eventually(() => held.length > 0, 'a beat is held');
  const askedAt = Date.now();
  await eventually(() => log.status.state === 'away', 'it is noticed');
  const { status } = log;
  const ms = Date.now() - askedAt;
  assert.ok(ms > 1_000, `${ms} ms`);
  assert.ok(status.state === 'away' && status.since - askedAt < ms / 2, `${JSON.stringify(status)}, ${askedAt}`);
  assert.match(status.reason, /the database has not answered for 2000 ms/);
  proxy.on('rosterd-beat', undefined);
  held[0]?.();
  await eventually(() => log.status.state === 'ready', 'it is back');
  assert.equal(entryOf(await log.append(0, draft('a'))).first, 1, 'on the same connections');
});

test('PL10 a server that is back and acknowledges nothing ends no absence', pgOptions, async () => {
  const { log, proxy } = await kit.node(randomUUID(), { pulseMs: 100 });
  let answer = (): void => {};
  const held = new Promise<void>((resolve) => {
    proxy.on('rosterd-beat', async (exchange) => {
      const bytes = await exchange.forward();
      answer = () => exchange.answer(bytes);
      resolve();
    });
  });
  proxy.cutAll();
  await eventually(() => log.status.state === 'away', 'it is noticed');
  const { status } = log;
  await held;
  await delay(50);
  assert.equal(log.status.state === 'away' && status.state === 'away' && log.status.since, status.state === 'away' && status.since);
  answer();
  await eventually(() => log.status.state === 'ready', 'it is back');
});

test('PL6 without a server, appends and questions are refused at their deadline, and reading goes on', pgOptions, async () => {
  const { log, proxy } = await kit.node(randomUUID(), { deadlineMs: 300 });
  await appendOne(log, draft('a'));
  proxy.isAway = true;
  proxy.cutAll();
  await eventually(() => log.status.state === 'away', 'it is noticed');
  await assert.rejects(log.append(1, draft('b')), isNotWritten);
  await assert.rejects(log.end(), isNotWritten);
  await assert.rejects(
    log.turn(async () => assert.fail('there is no turn')),
    isNotWritten,
  );
  assert.deepEqual(await idsOf(log, 1), ['a']);
  proxy.isAway = false;
  await eventually(() => log.status.state === 'ready', 'it is back');
  assert.equal(entryOf(await log.append(1, draft('c'))).first, 2, 'what was refused was never sent');
});

/** Commits wait for a standby that does not exist. */
async function withoutStandby(work: () => Promise<void>): Promise<void> {
  await kit.standby('missing');
  try {
    await work();
  } finally {
    await kit.standby('');
  }
}

const waiting = (app: string): Promise<string> =>
  kit.postgres.sql(
    `set synchronous_commit = local; select count(*) from pg_stat_activity where wait_event = 'SyncRep' and application_name = '${app}'`,
  );

test('PL3 PL4 a wait for the standby that is cancelled is no acknowledgement, and nobody reads the entry', pgOptions, async () => {
  const app = randomUUID();
  const [one, other] = [await kit.node(app, { deadlineMs: 1_500, pulseMs: 100, deadAfterMs: 400 }), await kit.node(app, { pulseMs: 100 })];
  await withoutStandby(async () => {
    const appending = assert.rejects(one.log.append(0, draft('phantom')), isUnknown);
    await eventually(async () => Number(await waiting('rosterd-writer')) > 0, 'the commit waits');
    const cancel = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep' and application_name like 'rosterd-%'";
    for (let n = 0; n < 5; n++) {
      await kit.postgres.sql(`set synchronous_commit = local; ${cancel}`);
      await delay(100);
    }
    assert.equal(await count(app), '1\n', 'it is visible');
    await appending;
    assert.deepEqual([one.log.head.seq, other.log.head.seq], [0, 0], 'and nobody believes it');
    // Each cancelled wait was an answer; the next one is overdue after a while.
    const saidOf = (): string => (one.log.status.state === 'away' ? one.log.status.reason : 'ready');
    await eventually(() => saidOf() !== 'ready', 'it is away');
    assert.match(saidOf(), /wait for the synchronous standby/);
    await assert.rejects(one.log.end(), isNotWritten);
  });
  // The standby is not asked for any more, so the next commit proves what is there.
  assert.deepEqual(await idsOf(other.log, 1), ['phantom']);
  assert.deepEqual(await idsOf(one.log, 1), ['phantom']);
  assert.equal(entryOf(await one.log.append(1, draft('next'))).first, 2);
});

test('PL4 a loser of a race reads what won only once that is confirmed', pgOptions, async () => {
  const app = randomUUID();
  const [one, other] = [await kit.node(app, { pulseMs: 60_000 }), await kit.node(app, { pulseMs: 60_000 })];
  one.proxy.on('rosterd-say', async () => {});
  await appendOne(one.log, draft('won'));
  let letBeat = (): void => {};
  other.proxy.once('rosterd-beat', async (exchange) => {
    await new Promise<void>((resolve) => {
      letBeat = resolve;
    });
    exchange.answer(await exchange.forward());
  });
  assert.deepEqual(await other.log.append(0, draft('lost')), { status: 'conflict', head: 1 });
  const reading = readCount(other.log, 0, 1);
  await delay(200);
  assert.equal(other.log.head.seq, 0, 'the conflict brought the entry, and nobody has confirmed it');
  letBeat();
  assert.deepEqual(
    (await reading).map(({ id }) => id),
    ['won'],
  );
});

test('PL4 PL6 what a conflict brought along and nobody confirmed is forgotten with the connection', pgOptions, async () => {
  const app = randomUUID();
  const [one, other] = [await kit.node(app, { pulseMs: 60_000 }), await kit.node(app, { pulseMs: 60_000 })];
  one.proxy.on('rosterd-say', async () => {});
  await appendOne(one.log, draft('phantom'));
  other.proxy.on('rosterd-beat', async () => {});
  assert.deepEqual(await other.log.append(0, draft('lost')), { status: 'conflict', head: 1 });
  // As a failover does it: the entry was never replicated, and another one has its place.
  other.proxy.isAway = true;
  other.proxy.cutAll();
  await one.log.close();
  await kit.postgres.sql(
    `delete from rosterd.entry where app = '${app}'; update rosterd.head set seq = 0, total = 0, fence = fence + 1 where app = '${app}'`,
  );
  const third = await kit.node(app);
  await appendOne(third.log, draft('real'));
  other.proxy.on('rosterd-beat', undefined);
  other.proxy.isAway = false;
  assert.deepEqual(await idsOf(other.log, 1), ['real']);
});

test('PL6 an address that leads to two servers at once is not used', pgOptions, async () => {
  const second = await startPostgres((await findPostgres()) ?? assert.fail());
  try {
    await second.sql('grant create on database postgres to reader');
    const { log, proxy } = await kit.node(randomUUID(), { deadlineMs: 300 });
    await appendOne(log, draft('a'));
    // As behind a balancer: every other connection reaches the other server.
    let connections = 0;
    const [first, other] = [kit.postgres.port, second.port];
    Object.defineProperty(proxy, 'to', { get: () => (connections++ % 2 === 0 ? first : other), configurable: true });
    proxy.cutAll();
    await eventually(() => log.status.state === 'away' && /leads to several servers/.test(log.status.reason), 'it is noticed');
    await assert.rejects(log.append(1, draft('b')), isNotWritten);
    Object.defineProperty(proxy, 'to', { value: first });
    await eventually(() => log.status.state === 'ready', 'it is back');
    assert.equal(entryOf(await log.append(1, draft('c'))).first, 2);
  } finally {
    await second.stop();
  }
});

test('PL2 where a standby is required, appends are refused while the server names none', pgOptions, async () => {
  const app = randomUUID();
  await assert.rejects(kit.node(app, { requiresSync: true, openMs: 500 }), (error) => {
    assert.ok(error instanceof PostgresUnusable);
    assert.match(error.message, /names none: set synchronous_standby_names, or turn log\.require_sync off/);
    return true;
  });
  const { log } = await kit.node(app);
  await kit.postgres.sql(`update rosterd.head set is_synced = true where app = '${app}'`);
  await assert.rejects(log.append(0, draft('a')), (error) => isNotWritten(error) && /no synchronous standby is named/.test(String(error)));
  assert.equal(await count(app), '0\n');
});

test('LG16 PL7 entries that vanished change the epoch once, and every process ends', pgOptions, async () => {
  const app = randomUUID();
  const [one, other] = [await kit.node(app), await kit.node(app)];
  await appendOne(one.log, draft('a'));
  await appendOne(one.log, draft('b'));
  await eventually(() => other.log.head.seq === 2, 'both know it');
  const { epoch } = one.log.head;
  const reading = readCount(one.log, 2, 1);
  // As after a failover to a standby that had the first only, on which somebody else wrote since.
  await kit.postgres.sql(`update rosterd.entry set id = 'another' where app = '${app}' and last = 2`);
  one.proxy.cutAll();
  await assert.rejects(reading, LogEpochChanged);
  await assert.rejects(one.log.append(2, draft('c')), LogEpochChanged);
  assert.equal(one.log.status.state, 'failed');
  const now = (await kit.postgres.sql(`select epoch from rosterd.head where app = '${app}'`)).trim();
  assert.notEqual(now, epoch);
  await assert.rejects(other.log.append(2, draft('d')), LogEpochChanged);
  await eventually(() => other.log.status.state === 'failed', 'the other one ends, too');
  assert.equal((await kit.postgres.sql(`select epoch from rosterd.head where app = '${app}'`)).trim(), now, 'changed once');
  const { log } = await kit.node(app);
  assert.equal(log.head.epoch, now);
  assert.equal(entryOf(await log.append(2, draft('e'))).first, 3);
});

test('PL7 a log that ends before what was confirmed is another history', pgOptions, async () => {
  const app = randomUUID();
  const { log, proxy } = await kit.node(app, { pulseMs: 100 });
  for (const id of ['a', 'b', 'c']) await appendOne(log, draft(id));
  await kit.postgres.sql(
    `delete from rosterd.entry where app = '${app}' and last > 1; update rosterd.head set seq = 1 where app = '${app}'`,
  );
  await eventually(() => log.status.state === 'failed', 'the heartbeat sees it');
  await assert.rejects(log.append(3, draft('d')), LogEpochChanged);
  assert.ok(!proxy.isAway);
});

test('PL7 a failover keeps the epoch where commits are synchronous, and begins a new one where they are not', pgOptions, async () => {
  const [safe, unsafe] = [randomUUID(), randomUUID()];
  const nodes = { safe: await kit.node(safe), unsafe: await kit.node(unsafe) };
  const before = { safe: nodes.safe.log.head.epoch, unsafe: nodes.unsafe.log.head.epoch };
  for (const { log } of [nodes.safe, nodes.unsafe]) await appendOne(log, draft('a'));
  await kit.postgres.sql(`update rosterd.head set is_synced = true where app = '${safe}'`);
  await kit.postgres.standBy();
  await kit.postgres.promote();
  await eventually(() => nodes.unsafe.log.status.state === 'failed', 'the unsafe one ends');
  // It takes no writes, as the server of the test names no standby.
  await eventually(() => nodes.safe.log.status.state === 'read-only', 'the safe one goes on');
  assert.equal(nodes.safe.log.head.epoch, before.safe);
  assert.deepEqual(await idsOf(nodes.safe.log, 1), ['a']);
  const again = await kit.node(unsafe);
  assert.notEqual(again.log.head.epoch, before.unsafe);
  assert.deepEqual(await idsOf(again.log, 1), ['a']);
});

test('PL7 who asks for a standby only after a failover without one begins a new epoch, too', pgOptions, async () => {
  const app = randomUUID();
  const { log } = await kit.node(app);
  const { epoch } = log.head;
  await log.close();
  await kit.postgres.sql(`update rosterd.head set timeline = '000000FF' where app = '${app}'`);
  await withoutStandby(async () => {
    const [target] = postgresTargets(kit.url());
    const connection = await PgConnection.open(target ?? assert.fail(), 'test');
    await connection.ask({ text: 'set synchronous_commit = local' });
    const application = { app, secret: 'secret', requiresSync: true, begin: undefined, onEvent: () => {}, formats: ENTRY_FORMATS };
    await openHead(connection, 'x', application);
    const head = await verifyHead(connection, app, undefined);
    assert.notEqual(head.epoch, epoch);
    await requireSync(connection, application);
    const again = await verifyHead(connection, app, undefined);
    assert.deepEqual([again.epoch, again.is_synced], [head.epoch, true]);
    await connection.close();
  });
});
