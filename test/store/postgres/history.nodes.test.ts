/** The contract of the history of users in rows, and nodes that share one, with directories on one log: HY8–HY11. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../daemon/base/clock.ts';
import { changeOf } from '../../../daemon/jobs/history/record.ts';
import { SharedHistory, type SharedHistoryOptions } from '../../../daemon/jobs/history/shared.ts';
import type { Roster } from '../../../daemon/pipeline/roster.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Command } from '../../../protocol/log/command.ts';
import { PostgresHistory } from '../../../store/postgres/history.ts';
import { PostgresLeases } from '../../../store/postgres/leases.ts';
import { eventually } from '../../support/eventually.ts';
import { historyContract } from '../../support/history/history-contract.ts';
import { rosterWith } from '../../support/open-roster.ts';
import { readToHead } from '../../support/store/entries.ts';
import { PgKit, type PgNode, pgOptions } from '../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();
const RECORD = 'rosterd-record-history';
const DAY_MS = 24 * 3_600_000;

interface Node extends PgNode {
  readonly app: string;
  readonly roster: Roster;
  readonly history: SharedHistory;
  readonly lines: string[];
  /** Whether it has the lease, as it sees it. */
  readonly leases: PostgresLeases;
  write(id: string): Promise<void>;
  stop(): Promise<void>;
}

let names = 0;

async function node(t: TestContext, app: string, options: Partial<SharedHistoryOptions> = {}): Promise<Node> {
  const stored = await kit.node(app);
  const roster = await rosterWith({ log: stored.log, snapshots: stored.snapshots, onFatal: () => {} });
  const [table, leases] = [new PostgresHistory(app, stored.log.links), new PostgresLeases(app, stored.log.links, 'node')];
  const lines: string[] = [];
  const logger = {
    info: (_: object, text: string) => void lines.push(text),
    error: (_: object, text: string) => void lines.push(`error: ${text}`),
  };
  const history = new SharedHistory({ roster, table, leases, keepMs: DAY_MS, bytesMax: 1 << 30, logger, clock: systemClock, ...options });
  history.start();
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await history.stop();
    await roster.close();
    await Promise.all([table.close(), leases.close()]);
  };
  const one: Node = {
    ...stored,
    ...{ app, roster, history, lines, leases },
    write: async (id) => {
      const user = { id, name: `name ${++names}`, custom: {} };
      const upsert: Command = { kind: 'upsert', actor: { kind: 'server' }, users: [user], problems: [] };
      await roster.submit(upsert, 'live', { source: 'server' });
    },
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
  t.after(one.stop);
  return one;
}

const holderOf = async (app: string): Promise<string> =>
  (await kit.postgres.sql(`select holder from rosterd.lease where app = '${app}' and job = 'history' and token > 0`)).trim();

/** Two nodes, the first of which holds the job. */
async function two(t: TestContext): Promise<readonly [Node, Node]> {
  const app = randomUUID();
  const holder = await node(t, app);
  await eventually(async () => (await holderOf(app)) === holder.leases.holder);
  return [holder, await node(t, app)];
}

async function seqs({ history }: Node, id: string): Promise<readonly (number | string)[]> {
  const all: (number | string)[] = [];
  for (let before: number | undefined; ; ) {
    const page = await history.page({ id, limit: 7, before });
    all.push(...page.items.map(({ seq, event }) => (event === 'gap' ? `gap ${seq}` : seq)));
    before = page.next;
    if (before === undefined) return all;
  }
}

/** Every node has every change of the log, once and in order. */
async function assertWhole(...nodes: readonly Node[]): Promise<void> {
  // A node whose log is behind that of another finds in the history what it does not know yet.
  const seq = Math.max(...nodes.map(({ roster }) => roster.position.seq));
  await eventually(() => nodes.every(({ roster }) => roster.position.seq >= seq));
  for (const one of nodes) {
    const byId = new Map<string, number[]>();
    for (const { first, time, facts } of await readToHead(one.log)) {
      for (const [index, fact] of facts.entries()) {
        const change = changeOf(fact, first + index, time);
        if (change !== undefined) byId.set(change.id, [change.seq, ...(byId.get(change.id) ?? [])]);
      }
    }
    for (const [id, expected] of byId) assert.deepEqual(await seqs(one, id), expected, id);
  }
}

const unavailable = (error: unknown): boolean => error instanceof RosterError && error.kind === 'unavailable';

test('HY10 a lookup on any node holds every change that this node has acknowledged or applied, at once', pgOptions, async (t) => {
  const nodes = await two(t);
  const waits: number[] = [];
  for (let round = 0; round < 60; round++) {
    const [one, other] = round % 2 === 0 ? nodes : ([nodes[1], nodes[0]] as const);
    await one.write('ann');
    const { seq } = one.roster.position;
    // Something that the history does not record comes after it.
    if (round % 3 === 0) await one.roster.submit({ kind: 'docs', changes: [{ kind: 'role', id: 'x', doc: null }] }, 'live').catch(() => {});
    const startMs = performance.now();
    assert.equal((await one.history.page({ id: 'ann', limit: 1 })).items[0]?.seq, seq, `round ${round}`);
    waits.push(performance.now() - startMs);
    await eventually(() => other.roster.position.seq >= seq);
    assert.equal((await other.history.page({ id: 'ann', limit: 1 })).items[0]?.seq, seq, `round ${round}, on the other node`);
  }
  waits.sort((a, b) => a - b);
  t.diagnostic(`a lookup after a change waited ${waits.map(Math.round)[30]} ms, at most ${waits.map(Math.round).at(-1)} ms`);
  assert.ok((waits[30] ?? 0) < 2_500, `${waits}`);
  await assertWhole(...nodes);
});

test(
  'HY10 a lookup waits five seconds for a history that no node writes, and is refused; what is stored is found at once',
  pgOptions,
  async (t) => {
    const [one, other] = await two(t);
    await one.write('ann');
    assert.equal((await seqs(one, 'ann')).length, 1);
    await eventually(() => other.roster.position.seq === one.roster.position.seq);
    // A process that hangs has the job, so that no other takes it when this one stops.
    await kit.postgres.sql(`update rosterd.lease set holder = 'nobody', until = 'infinity' where app = '${one.app}'`);
    await one.stop();
    assert.equal((await seqs(other, 'ann')).length, 1);
    await other.write('ann');
    const startMs = performance.now();
    await assert.rejects(other.history.page({ id: 'ann', limit: 1 }), unavailable);
    const ms = performance.now() - startMs;
    assert.ok(ms > 4_000 && ms < 30_000, `${ms} ms`);
    const waiting = seqs(other, 'ann');
    await delay(500);
    await kit.postgres.sql(`update rosterd.lease set until = '-infinity' where app = '${one.app}'`);
    assert.equal((await waiting).length, 2, 'it is answered when the history has come that far');
  },
);

test(
  'HY9 a node that stands still in the middle of a write is replaced, and what it writes afterwards counts for nothing',
  pgOptions,
  async (t) => {
    const [one, other] = await two(t);
    for (let n = 0; n < 5; n++) await one.write('ann');
    await assertWhole(one);
    // It stands still with a write in its hand, and asks for no longer lease.
    const arrivals: (() => Promise<string>)[] = [];
    let goOn = (): void => {};
    const standsStill = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    one.proxy.on('rosterd-take-lease', async (exchange) => {
      await standsStill;
      exchange.answer(await exchange.forward());
    });
    one.proxy.on(RECORD, async (exchange) => {
      await new Promise<void>((resolve) => {
        arrivals.push(async () => {
          const answer = await exchange.forward();
          exchange.answer(answer);
          resolve();
          return answer.toString('latin1');
        });
      });
    });
    for (let n = 0; n < 5; n++) await other.write(n % 2 === 0 ? 'ann' : 'bob');
    await eventually(() => arrivals.length === 1);
    await kit.postgres.sql(`update rosterd.lease set until = '-infinity' where app = '${one.app}'`);
    await eventually(async () => (await holderOf(one.app)) === other.leases.holder);
    await other.write('bob');
    await assertWhole(other);
    one.proxy.on(RECORD, undefined);
    assert.match((await arrivals[0]?.()) ?? '', /RS002/);
    goOn();
    one.proxy.on('rosterd-take-lease', undefined);
    for (let n = 0; n < 5; n++) await one.write('ann');
    await assertWhole(one, other);
    assert.deepEqual(
      [...one.lines, ...other.lines].filter((line) => /^error|anew/.test(line)).slice(1),
      [],
      'only the first beginning is told',
    );
  },
);

test('HY9 connections that break during writes, before or after these are stored, lose and double nothing', pgOptions, async (t) => {
  const nodes = await two(t);
  let broken = 0;
  for (const { proxy } of nodes) {
    proxy.on(RECORD, async (exchange) => {
      const isBad = ++broken % 3 !== 0 && broken < 12;
      if (isBad && broken % 2 === 0) return exchange.cut();
      const answer = await exchange.forward();
      if (isBad) exchange.cut();
      else exchange.answer(answer);
    });
  }
  while (broken < 14) {
    for (const one of nodes) for (const id of ['ann', 'bob']) await one.write(id);
    await delay(50);
  }
  await assertWhole(...nodes);
  const rows = await kit.postgres.sql(`select count(*), count(distinct seq) from rosterd.history where app = '${nodes[0].app}'`);
  assert.equal(new Set(rows.trim().split('|')).size, 1);
});

test('HY9 the next node goes on where the one that stopped was, also after all were gone', pgOptions, async (t) => {
  const [one, other] = await two(t);
  for (let n = 0; n < 10; n++) await one.write('ann');
  await one.stop();
  for (let n = 0; n < 10; n++) await other.write('ann');
  await assertWhole(other);
  await other.write('ann');
  // What is not stored yet is read from the log.
  other.proxy.cutAll();
  await other.stop();
  const last = await node(t, one.app);
  await assertWhole(last);
  assert.deepEqual(
    [...other.lines, ...last.lines].filter((line) => line.includes('anew')),
    [],
  );
  const { from } = await last.history.page({ id: 'ann', limit: 1 });
  assert.ok(from <= ((await last.history.page({ id: 'ann', limit: 100 })).items.at(-1)?.at ?? 0), 'nothing is missing');
});

test('HY8 with no time to keep it the history is removed by one node, and no node shows it', pgOptions, async (t) => {
  const app = randomUUID();
  const one = await node(t, app);
  await one.write('ann');
  assert.equal((await seqs(one, 'ann')).length, 1);
  await one.stop();
  const off = await node(t, app, { keepMs: 0 });
  await eventually(async () => (await kit.postgres.sql(`select count(*) from rosterd.history_position where app = '${app}'`)) === '0\n');
  await assert.rejects(off.history.page({ id: 'ann', limit: 1 }), (error) => error instanceof RosterError && error.kind === 'not_found');
  const { seq } = off.roster.position;
  await delay(2_500);
  assert.equal(off.roster.position.seq, seq, 'it does not take the job again and again');
});

test('HY11 a stop ends in time while PostgreSQL does not answer, and a lookup is refused', pgOptions, async (t) => {
  const [one] = await two(t);
  await one.write('ann');
  await seqs(one, 'ann');
  one.proxy.isSilent = true;
  await assert.rejects(one.history.page({ id: 'ann', limit: 1 }), unavailable);
  await one.history.stop();
  one.proxy.isSilent = false;
});

describe('rows', () =>
  historyContract({
    options: pgOptions,
    keep: async (t) => {
      const app = randomUUID();
      // The log of the history is one in memory: this one must not notice that its own was put aside.
      const { log } = await kit.node(app, { pulseMs: 600_000 });
      const [table, leases] = [new PostgresHistory(app, log.links), new PostgresLeases(app, log.links, 'node')];
      t.after(() => Promise.all([table.close(), leases.close()]));
      const side = await (await log.links.ready()).side('test');
      t.after(() => side.close());
      const logIs = async ({ epoch, seq }: Position): Promise<void> => {
        await side.ask({ text: 'update rosterd.head set epoch = $2, seq = $3 where app = $1', values: [app, epoch, seq] });
      };
      let token = 0;
      const submit: Roster['submit'] = async (command) => {
        if (command.kind !== 'lease') throw new Error(`${command.kind} is not expected`);
        const { job, holder } = command;
        return { users: [], warnings: [], docs: [{ kind: 'lease', id: job, doc: { id: job, holder, token: ++token } }], seq: 0 };
      };
      return {
        start: async (options) => {
          const { roster } = options;
          await logIs(roster.position);
          const { follow } = roster;
          const submitting = { follow, submit, keptAfter: 0, position: roster.position };
          Object.defineProperties(submitting, {
            keptAfter: { get: () => roster.keptAfter },
            position: { get: () => roster.position },
          });
          const history = new SharedHistory({ ...options, roster: submitting, table, leases, bytesMax: 1 << 26 });
          history.start();
          return {
            page: async (question) => {
              await logIs(roster.position);
              return await history.page(question);
            },
            stop: () => history.stop(),
          };
        },
      };
    },
  }));
