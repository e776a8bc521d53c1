/** The sequencer beside other writers to the same log: SQ8, SQ9. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Roster } from '../../../daemon/pipeline/roster.ts';
import type { Command } from '../../../protocol/log/command.ts';
import type { Entry, EntryDraft } from '../../../protocol/log/entry.ts';
import type { AppendResult } from '../../../store/log.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { rosterWith } from '../../support/open-roster.ts';
import { TurnCount } from '../../support/turn-count.ts';

const upsert = (id: string, name: string, ifRev?: number): Command => ({
  kind: 'upsert',
  actor: { kind: 'server' },
  users: [{ id, name, custom: {}, ...(ifRev === undefined ? {} : { if_rev: ifRev }) }],
  problems: [],
});

async function openRoster(t: TestContext, log: MemoryLog): Promise<Roster> {
  const roster = await rosterWith({ log });
  t.after(() => roster.close());
  return roster;
}

/** Readers get every entry later than it was stored, as on a node that lags behind. */
class LaggingLog extends MemoryLog {
  lagMs = 0;
  ends = 0;

  override async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
    for await (const entry of super.read(after, signal)) {
      await delay(this.lagMs, undefined, { signal }).catch(() => {});
      yield entry;
    }
  }

  override end() {
    this.ends++;
    return super.end();
  }
}

/** Ann as another node stored her, not yet known here. */
async function renamedElsewhere(t: TestContext): Promise<{ log: LaggingLog; roster: Roster }> {
  const log = new LaggingLog();
  const roster = await openRoster(t, log);
  const { users } = await roster.submit(upsert('ann', 'Ann'), 'live');
  const ann = users[0]?.user ?? assert.fail();
  log.lagMs = 250;
  const user = { ...ann, rev: ann.rev + 1, name: 'Rival', updated_at: ann.updated_at + 1 };
  await log.append(1, { id: 'rival', time: user.updated_at, facts: [{ t: 'user', event: 'updated', user }] });
  assert.equal(roster.directory.user('ann')?.name, 'Ann', 'this node lags');
  return { log, roster };
}

test('SQ8 an upsert that would change nothing on a node behind has its effect all the same', async (t) => {
  const { log, roster } = await renamedElsewhere(t);
  const { users } = await roster.submit(upsert('ann', 'Ann'), 'live');
  assert.deepEqual([users[0]?.change, users[0]?.user.rev], ['updated', 3]);
  assert.equal(roster.directory.user('ann')?.name, 'Ann');
  assert.equal(log.head.seq, 3);
});

test('SQ8 a valid condition is not refused by a node behind', async (t) => {
  const { roster } = await renamedElsewhere(t);
  const { users } = await roster.submit(upsert('ann', 'Anna', 2), 'live');
  assert.equal(users[0]?.user.name, 'Anna');
});

test('SQ8 an answer that needs no append costs one question, and a write none', async (t) => {
  const log = new LaggingLog();
  const roster = await openRoster(t, log);
  await roster.submit(upsert('ann', 'Ann'), 'live');
  assert.equal(log.ends, 0);
  const { users } = await roster.submit(upsert('ann', 'Ann'), 'live');
  assert.deepEqual([users[0]?.change, log.ends], ['unchanged', 1]);
});

/** Another writer is first a number of times; the answer comes at once. */
class ContestedLog extends MemoryLog {
  rivals = 0;
  readonly ways: string[] = [];
  #inTurn = false;
  #count = 0;
  /** The other writer respects turns. */
  isFair = true;
  /** The log says conflict, though nobody wrote. */
  isBroken = false;

  override async append(after: number, draft: EntryDraft): Promise<AppendResult> {
    this.ways.push(this.#inTurn ? 'turn' : 'free');
    if (this.isBroken) return { status: 'conflict', head: this.head.seq };
    if (this.rivals > 0 && !(this.#inTurn && this.isFair)) {
      this.rivals--;
      this.failNext({
        type: 'conflict',
        rival: { id: `rival-${this.#count++}`, time: 1, facts: [{ t: 'doc', kind: 'task', id: 'x', doc: TASK }] },
      });
    }
    return await super.append(after, draft);
  }

  override async turn<T>(work: (head: number) => Promise<T>): Promise<T> {
    this.#inTurn = true;
    try {
      return await super.turn(work);
    } finally {
      this.#inTurn = false;
    }
  }
}

const TASK = { id: 'x', kind: 'test', status: 'waiting', created_at: 0, updated_at: 0 } as const;

test('SQ9 after four conflicts in a row the batch is decided in a turn, and not before', async (t) => {
  const log = new ContestedLog();
  const roster = await openRoster(t, log);
  log.rivals = 3;
  await roster.submit(upsert('ann', 'Ann'), 'live');
  assert.deepEqual(log.ways.splice(0), ['free', 'free', 'free', 'free']);
  log.rivals = 1_000;
  assert.equal((await roster.submit(upsert('bob', 'Bob'), 'live')).users[0]?.change, 'created');
  assert.deepEqual(log.ways, ['free', 'free', 'free', 'free', 'turn']);
});

test('SQ9 a log that goes on answering conflict holds nothing else up, and the command is refused', async (t) => {
  for (const fault of ['broken', 'unfair'] as const) {
    const log = new ContestedLog();
    const roster = await openRoster(t, log);
    log.isBroken = fault === 'broken';
    log.isFair = false;
    log.rivals = fault === 'unfair' ? 1_000 : 0;
    const loop = new TurnCount();
    await assert.rejects(roster.submit(upsert('ann', 'Ann'), 'live'), /another writer was first 20 times\); nothing was stored$/);
    loop.stop();
    assert.ok(loop.turns >= 20, `everything else got ${loop.turns} turns`);
    assert.equal(log.ways.length, 21);
    assert.equal(roster.directory.user('ann'), undefined);
    log.isBroken = false;
    log.rivals = 0;
    await roster.submit(upsert('ann', 'Ann'), 'live');
  }
});

test('SQ9 entries of another writer that cannot be read do not hold a command for ever', async (t) => {
  const log = new LaggingLog();
  const roster = await openRoster(t, log);
  log.lagMs = 60_000;
  await log.append(0, { id: 'rival', time: 1, facts: [{ t: 'doc', kind: 'task', id: 'x', doc: TASK }] });
  const started = performance.now();
  await assert.rejects(roster.submit(upsert('ann', 'Ann'), 'live'), /what another writer stored cannot be read\); nothing was stored$/);
  // SQ5: after 5 s.
  assert.ok(performance.now() - started < 40_000);
});
