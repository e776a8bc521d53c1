/** The `Log` contract on PostgreSQL. Needs its programs (initdb, pg_ctl, psql); where they are missing the tests say so and are skipped. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import type { Log } from '../../store/log.ts';
import type { PostgresStoreOptions } from '../../store/postgres/defaults.ts';
import { appendAll, draft, readToHead } from '../support/store/entries.ts';
import { type LogAdapter, logContract } from '../support/store/log-contract.ts';
import { PgKit, pgOptions } from '../support/store/pg-kit.ts';
import type { PgProxy } from '../support/store/pg-proxy.ts';

const kit = PgKit.ofProcess();
const proxies = new WeakMap<Log, PgProxy>();

const REFUSE = `
  create or replace function rosterd.refuse() returns trigger language plpgsql
    as $$ begin raise exception using errcode = '53100', message = 'no space left'; end $$;
  create trigger refuse before insert on rosterd.entry execute function rosterd.refuse()`;

/** Little stays in memory, so that reading reads tables. Only what two stored snapshots cover may be trimmed, so each is stored. */
async function open(more: Partial<PostgresStoreOptions> = {}): Promise<Log> {
  const app = randomUUID();
  const sizes = { recentBytes: 2_000, blockBytes: 700, cacheBytes: 2_000, retention: { bytes: 0 } };
  const { log, proxy, snapshots } = await kit.node(app, { deadlineMs: 3_000, ...sizes, ...more });
  proxies.set(log, proxy);
  const trim = log.snapshotSaved.bind(log);
  log.snapshotSaved = async (seq) => {
    const last = `(select max(last) from rosterd.entry e where e.app = h.app and last <= ${seq})`;
    const ends = await kit.postgres.sql(`select greatest(tail, ${last}) from rosterd.head h where app = '${app}'`);
    if (seq <= log.head.seq) await snapshots.save({ position: { epoch: log.head.epoch, seq: Number(ends) }, lines: () => [{ seq }] });
    await trim(seq);
  };
  return log;
}

const adapter: LogAdapter = {
  name: 'PostgreSQL',
  open,
  openHolding: () => open({ heldBytes: 11_000 }),
  fail(log, outcome) {
    const proxy = proxies.get(log) ?? assert.fail('of this adapter');
    proxy.once('rosterd-append', async (exchange) => {
      // The answer never comes, and nobody is told.
      if (outcome === 'unknown') return void (await exchange.forward());
      await kit.postgres.sql(REFUSE);
      exchange.answer(await exchange.forward());
      await kit.postgres.sql('drop trigger refuse on rosterd.entry');
    });
  },
  hold(log) {
    const proxy = proxies.get(log) ?? assert.fail('of this adapter');
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    proxy.once('rosterd-append', async (exchange) => {
      await released;
      exchange.answer(await exchange.forward());
    });
    return release;
  },
};

describe('PostgreSQL', pgOptions, () => logContract(adapter));

test('PL2 appends that arrive while a call is in flight are one further call, all stored or none', pgOptions, async () => {
  const log = await open({ groupBytes: 40_000 });
  const proxy = proxies.get(log) ?? assert.fail('it has one');
  const calls: number[] = [];
  proxy.on('rosterd-append', async (exchange) => {
    const answer = await exchange.forward();
    calls.push(log.head.seq);
    exchange.answer(answer);
  });
  const drafts = Array.from({ length: 101 }, (_, n) => draft(`e${n}`, { facts: 1 + (n % 2), bytes: 100 }));
  await Promise.all(appendAll(log, drafts));
  assert.ok(calls.length <= 3, `${calls.length} calls`);
  assert.equal((await readToHead(log)).length, 101);
  calls.splice(0);
  const long = Array.from({ length: 10 }, (_, n) => draft(`long${n}`, { bytes: 15_000 }));
  await Promise.all(appendAll(log, long));
  assert.ok(calls.length >= 5, `${calls.length} calls, though two entries fill one`);
  // The second entry cannot be stored, so the first of its group is not there either.
  await kit.postgres.sql("alter table rosterd.entry add constraint refused check (id <> 'bad') not valid");
  const { seq } = log.head;
  const results = await Promise.allSettled(appendAll(log, [draft('good'), draft('bad')]));
  await kit.postgres.sql('alter table rosterd.entry drop constraint refused');
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await kit.postgres.sql("select count(*) from rosterd.entry where id in ('good', 'bad')"), '0\n');
  assert.equal(log.head.seq, seq);
});
