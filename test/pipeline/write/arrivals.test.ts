/** ND1, ND2: positions of other nodes are waited for, and those that do not exist are told apart. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Roster } from '../../../daemon/pipeline/roster.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Command } from '../../../protocol/log/command.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { quickest } from '../../support/eventually.ts';
import { rosterWith } from '../../support/open-roster.ts';
import { NodeLog } from '../../support/store/node-log.ts';

const upsert = (id: string): Command => ({ kind: 'upsert', actor: { kind: 'server' }, users: [{ id, custom: {} }], problems: [] });

const at = (seq: number, epoch = 'e') => ({ epoch, seq });

/** One node writes; what the other one reads is the test's to say. */
async function twoNodes(t: TestContext): Promise<{ writer: Roster; log: NodeLog; node: Roster }> {
  const shared = new MemoryLog({ epoch: 'e', retentionFacts: 1_000 });
  const log = new NodeLog(shared);
  const [writer, node] = [await rosterWith({ log: new NodeLog(shared) }), await rosterWith({ log })];
  t.after(() => Promise.all([writer.close(), node.close()]));
  return { writer, log, node };
}

const unavailable = (text: RegExp) => (error: unknown) =>
  error instanceof RosterError && error.kind === 'unavailable' && text.test(error.message);

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('ND1 a position of another node is waited for until it is applied, and not longer', async (t) => {
  const { writer, log, node } = await twoNodes(t);
  const read = log.holdReading();
  await writer.submit(upsert('ann'), 'live');
  const states: string[] = [];
  const waiting = node.arrivals.until(at(1)).then((arrival) => states.push(`${arrival}, ann: ${node.directory.user('ann')?.id}`));
  await turns();
  assert.deepEqual([states, node.arrivals.has(at(1)), node.arrivals.canResume(at(1))], [[], false, false]);
  read();
  await waiting;
  assert.deepEqual(states, ['applied, ann: ann']);
  assert.deepEqual([node.arrivals.has(at(1)), node.arrivals.canResume(at(1))], [true, true]);
});

test('ND1 a node that knows the position asks the storage nothing', async (t) => {
  const { node, log } = await twoNodes(t);
  await node.submit(upsert('ann'), 'live');
  const before = log.asked.end;
  assert.equal(await node.arrivals.until(at(1)), 'applied');
  assert.equal(await node.arrivals.until(at(0)), 'applied');
  assert.equal(log.asked.end, before);
});

test('ND1 a position that does not come within 2 s is refused as unavailable, and others are waited for as before', async (t) => {
  const { writer, log, node } = await twoNodes(t);
  const read = log.holdReading();
  await writer.submit(upsert('ann'), 'live');
  const started = performance.now();
  await assert.rejects(node.arrivals.until(at(1)), unavailable(/has not come to the position 1 yet, and was not after 2000 ms/));
  const ms = performance.now() - started;
  assert.ok(ms >= 1_950, `${ms} ms`);
  const waiting = node.arrivals.until(at(1));
  read();
  assert.equal(await waiting, 'applied');
});

test('ND1 nobody waits for an absent storage, except for what it has confirmed', async (t) => {
  const { writer, log, node } = await twoNodes(t);
  const read = log.holdReading();
  await writer.submit(upsert('ann'), 'live');
  log.goAway();
  await writer.submit(upsert('bob'), 'live');
  await assert.rejects(node.arrivals.until(at(2)), unavailable(/its storage is away/));
  const known = node.arrivals.until(at(1));
  log.comeBack();
  read();
  assert.equal(await known, 'applied');
  assert.equal(await node.arrivals.until(at(2)), 'applied');
});

test('ND1 a thousand callers may wait, and one more is refused at once', async (t) => {
  const { writer, log, node } = await twoNodes(t);
  const read = log.holdReading();
  for (let n = 0; n < 10; n++) await writer.submit(upsert(`u${n}`), 'live');
  const waiting = Array.from({ length: 1_000 }, (_, n) => node.arrivals.until(at(1 + (n % 10))));
  await assert.rejects(node.arrivals.until(at(10)), unavailable(/1000 callers wait for it already/));
  read();
  assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['applied']));
  assert.equal(await node.arrivals.until(at(10)), 'applied');
});

test('ND2 a position beyond the end of the log, or of another epoch, is told at once, also by a node behind', async (t) => {
  const { writer, log, node } = await twoNodes(t);
  await writer.submit(upsert('ann'), 'live');
  assert.equal(await node.arrivals.until(at(1)), 'applied');
  const tookMs = await quickest(async () => {
    assert.equal(await node.arrivals.until(at(2)), 'unknown');
    assert.equal(await node.arrivals.until(at(Number.MAX_SAFE_INTEGER)), 'unknown');
    assert.equal(await node.arrivals.until(at(1, 'other')), 'unknown');
  });
  assert.ok(tookMs < 500, `${tookMs} ms`);
  const read = log.holdReading();
  await writer.submit(upsert('bob'), 'live');
  assert.equal(await node.arrivals.until(at(3)), 'unknown');
  read();
  await writer.submit(upsert('cid'), 'live');
  assert.equal(await node.arrivals.until(at(3)), 'applied', 'it exists now');
});

test('HT44 a wait ends with its node', async (t) => {
  const { writer, log, node } = await twoNodes(t);
  const read = log.holdReading();
  await writer.submit(upsert('ann'), 'live');
  const waiting = assert.rejects(node.arrivals.until(at(1)), unavailable(/no longer follows its log/));
  await node.close();
  await waiting;
  read();
});

test('ND2 a position beyond the end is told at once, however much is being written', async (t) => {
  const { writer, node } = await twoNodes(t);
  let isOver = false;
  const writing = (async () => {
    for (let n = 0; !isOver; n++) await Promise.all([writer.submit(upsert(`a${n}`), 'live'), node.submit(upsert(`b${n}`), 'live')]);
  })();
  while (node.directory.seq < 50) {
    await turns();
    assert.equal(await node.arrivals.until(at(1_000_000)), 'unknown');
  }
  isOver = true;
  await writing;
});
