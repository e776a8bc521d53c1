/** PL11: nodes of two versions on one log. What a version reads is given to it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { ENTRY_VERSION } from '../../../../protocol/log/entry.ts';
import type { StoreEvent } from '../../../../store/events.ts';
import { LogFormatRaised } from '../../../../store/log.ts';
import { PostgresUnusable } from '../../../../store/postgres/link/target.ts';
import { type EntryFormats, PACKED_FORMAT } from '../../../../store/postgres/log/formats.ts';
import { PostgresPeers } from '../../../../store/postgres/peers.ts';
import type { SnapshotSource } from '../../../../store/snapshot.ts';
import { eventually } from '../../../support/eventually.ts';
import { appendOne, draft } from '../../../support/store/entries.ts';
import { PgKit, type PgNode, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

const OLD: EntryFormats = { oldest: ENTRY_VERSION, newest: ENTRY_VERSION };
const NEW: EntryFormats = { oldest: ENTRY_VERSION, newest: ENTRY_VERSION + 1 };

interface Member extends PgNode {
  readonly peers: PostgresPeers;
}

async function member(
  t: TestContext,
  app: string,
  name: string,
  formats: EntryFormats,
  onEvent = (_: StoreEvent): void => {},
): Promise<Member> {
  const node = await kit.node(app, { formats, onEvent, pulseMs: 100 });
  const peers = new PostgresPeers({ app, node: name, version: '1.0.0', links: node.log.links, formats });
  t.after(() => peers.close());
  await peers.start({ here: () => [], applied: () => 0, replaced: () => {}, changed: () => {}, gone: () => {} });
  return { ...node, peers };
}

const written = async (app: string): Promise<number[]> =>
  (await kit.postgres.sql(`select version from rosterd.entry where app = '${app}' order by last`)).trim().split('\n').map(Number);

const format = async (app: string): Promise<number> =>
  Number(await kit.postgres.sql(`select format from rosterd.head where app = '${app}'`));

async function read({ log }: PgNode, count: number): Promise<string[]> {
  const stop = new AbortController();
  const ids: string[] = [];
  for await (const { id } of log.read(0, stop.signal)) if (ids.push(id) === count) stop.abort();
  return ids;
}

test('PL11 the older format is written until the last node that reads only it has gone; then the newer one is', pgOptions, async (t) => {
  const app = randomUUID();
  const old = await member(t, app, 'old', OLD);
  const [one, two] = [await member(t, app, 'one', NEW), await member(t, app, 'two', NEW)];
  for (const [n, { log }] of [old, one, two].entries()) {
    await eventually(() => log.head.seq === n, 'the entry before');
    await appendOne(log, draft(`a${n}`));
  }
  // Each node has asked, more than once: it does so with every sign of life.
  const beats = async (): Promise<boolean> =>
    (
      await kit.postgres.sql(`select count(*) from rosterd.node where app = '${app}' and seen > timestamptz '${since}' + interval '2 s'`)
    ).trim() === '3';
  const since = (await kit.postgres.sql('select clock_timestamp()')).trim();
  await eventually(beats, 'their signs of life');
  assert.equal(await format(app), ENTRY_VERSION);
  assert.deepEqual(await written(app), Array(3).fill(ENTRY_VERSION));
  assert.deepEqual(await read(old, 3), ['a0', 'a1', 'a2'], 'all read what all write');
  await old.peers.close();
  await old.log.close();
  await eventually(async () => (await format(app)) === ENTRY_VERSION + 1, 'the format is raised');
  // The next pulse tells them.
  await eventually(async () => {
    const seq = one.log.head.seq;
    await appendOne(one.log, draft(`b${seq}`));
    return (await written(app)).at(-1) === ENTRY_VERSION + 1;
  }, 'the newer format is written');
  const count = one.log.head.seq;
  assert.equal((await read(two, count)).length, count, 'entries of both formats are read');
  await assert.rejects(kit.node(app, { formats: OLD }), (error: unknown) => {
    assert.ok(error instanceof PostgresUnusable);
    assert.match(
      error.message,
      new RegExp(`has format ${ENTRY_VERSION + 1}, and this rosterd knows ${ENTRY_VERSION}: start the version that wrote it`),
    );
    return true;
  });
  await (await kit.node(app, { formats: NEW })).log.close();
});

test('PL11 a node that was not heard of while the format was raised ends, and says which version to start', pgOptions, async (t) => {
  const app = randomUUID();
  const events: StoreEvent[] = [];
  const old = await kit.node(app, { formats: OLD, onEvent: (event) => events.push(event), pulseMs: 100 });
  await appendOne(old.log, draft('a'));
  await member(t, app, 'new', NEW);
  await eventually(() => old.log.status.state === 'failed', 'it notices');
  assert.match(
    old.log.status.state === 'failed' ? old.log.status.reason : '',
    /^the log of .* has format \d+, and this rosterd knows \d+: start the version/,
  );
  await assert.rejects(old.log.append(old.log.head.seq, draft('b')), LogFormatRaised);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['epoch-started', 'format-raised'],
  );
  assert.deepEqual(await written(app), [ENTRY_VERSION]);
});

test('PL11 a snapshot is saved in blocks only once every living node can load it', pgOptions, async (t) => {
  const app = randomUUID();
  const old = await member(t, app, 'old', OLD);
  const one = await member(t, app, 'one', NEW);
  const { log, snapshots } = one;
  await appendOne(log, draft('a'));
  const saved = async (reader: PgNode): Promise<unknown> => {
    const position = log.head;
    const packed = (): SnapshotSource => ({ position, isPacked: true, lines: () => [{ packed: 1 }] });
    await snapshots.save({ position, lines: () => [{ user: 1 }], packed });
    const lines: object[] = [];
    for await (const chunk of (await reader.snapshots.load())?.chunks() ?? []) lines.push(...chunk);
    return lines;
  };
  assert.deepEqual(await saved(old), [{ user: 1 }]);
  await old.peers.close();
  await old.log.close();
  await eventually(() => log.format === PACKED_FORMAT, 'the next pulse tells it');
  assert.deepEqual(await saved(one), [{ packed: 1 }]);
});
