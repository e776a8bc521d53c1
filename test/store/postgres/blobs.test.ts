/** Files that several nodes share: BL1–BL7 where it takes two of them to see a mistake. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { BlobsUnavailable } from '../../../store/blobs.ts';
import { LeaseLost } from '../../../store/leases.ts';
import { PostgresBlobs } from '../../../store/postgres/blobs.ts';
import { PostgresLeases } from '../../../store/postgres/leases.ts';
import { eventually } from '../../support/eventually.ts';
import { Arriving, conflicts, contentOf, inParts, noise } from '../../support/store/blobs-contract.ts';
import { PgKit, type PgNode, pgOptions } from '../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();
const MIB = 1024 * 1024;
const HOUR_AGO = "clock_timestamp() - interval '61 minutes'";

interface Two {
  readonly app: string;
  readonly one: PostgresBlobs;
  readonly two: PostgresBlobs;
  readonly nodes: readonly [PgNode, PgNode];
}

async function twoNodes(t: TestContext, app: string = randomUUID(), signMs = 300_000): Promise<Two> {
  const nodes = [await kit.node(app), await kit.node(app)] as const;
  const [one, two] = nodes.map(({ log }) => new PostgresBlobs({ app, links: log.links, deadlineMs: 5_000, signMs }));
  assert.ok(one !== undefined && two !== undefined);
  t.after(async () => {
    await Promise.all([one.close(), two.close()]);
    await kit.closeNodes();
  });
  return { app, one, two, nodes };
}

/** Rows of files, and of their chunks. */
async function rows(app: string): Promise<readonly number[]> {
  const counts = ['file', 'file_chunk'].map((table) => kit.postgres.sql(`select count(*) from rosterd.${table} where app = '${app}'`));
  return (await Promise.all(counts)).map(Number);
}

const setStored = (app: string, name: string, to: string): Promise<string> =>
  kit.postgres.sql(`update rosterd.file set stored_at = ${to} where app = '${app}' and name = '${name}'`);

const text = (content: string): AsyncGenerator<Uint8Array> => inParts(Buffer.from(content), 3);

test('BL1 BL2 what one node stores another one finds, whole, and no other application', pgOptions, async (t) => {
  const { app, one, two } = await twoNodes(t);
  const bytes = noise(2 * MIB + 77);
  const chunks = new Arriving();
  const putting = one.put('uploads', 'a', chunks);
  chunks.send(bytes);
  await eventually(async () => (await rows(app))[1] === 2);
  assert.equal(await two.has('uploads', 'a'), false);
  assert.equal(await two.open('uploads', 'a'), undefined);
  chunks.end();
  await putting;
  assert.ok((await contentOf(two, 'uploads', 'a'))?.equals(bytes));
  const other = await twoNodes(t);
  assert.equal(await other.one.has('uploads', 'a'), false);
  assert.equal(await other.one.removeOld('uploads', Date.now() + 3_600_000, new Set()), 0);
  assert.equal(await other.one.put('uploads', 'a', text('mine')), 4);
  assert.deepEqual(await rows(app), [1, 3]);
});

test('BL3 two nodes store under one name at once: one succeeds, the other is refused and leaves nothing', pgOptions, async (t) => {
  const { app, one, two } = await twoNodes(t);
  for (let round = 0; round < 8; round++) {
    const name = `${round}`;
    const chunks = [new Arriving(), new Arriving()] as const;
    const puts = [one, two].map((blobs, at) => blobs.put('uploads', name, chunks[at] ?? assert.fail()));
    for (const [at, arriving] of chunks.entries()) arriving.send(Buffer.from(`of node ${at}`));
    await eventually(() => chunks.every(({ taken }) => taken === 1));
    for (const arriving of round % 2 === 0 ? chunks : chunks.toReversed()) arriving.end();
    const results = await Promise.allSettled(puts);
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    await conflicts(puts[1 - winner] ?? assert.fail(), false);
    assert.equal(String(await contentOf(two, 'uploads', name)), `of node ${winner}`);
  }
  assert.deepEqual(await rows(app), [8, 8]);
});

test('BL3 who looked when the name was free, and comes last, is refused', pgOptions, async (t) => {
  const { app, one, two, nodes } = await twoNodes(t);
  let second: Promise<number> | undefined;
  nodes[0].proxy.once('rosterd-file-store', async (exchange) => {
    second = two.put('uploads', 'a', text('second'));
    await second;
    exchange.answer(await exchange.forward());
  });
  await conflicts(one.put('uploads', 'a', text('first')), false);
  assert.equal(await second, 6);
  assert.equal(String(await contentOf(one, 'uploads', 'a')), 'second');
  assert.deepEqual(await rows(app), [1, 1]);
});

test('BL3 two nodes that replace a file at once both succeed, and one file stays', pgOptions, async (t) => {
  const { app, one, two } = await twoNodes(t);
  for (let round = 0; round < 10; round++) {
    const put = (blobs: PostgresBlobs, content: string) => blobs.put('exports', 'a', text(content), { replaces: true });
    await Promise.all([put(one, `one ${round}`), put(two, `two ${round}`)]);
    assert.match(String(await contentOf(one, 'exports', 'a')), new RegExp(`^(one|two) ${round}$`));
    assert.deepEqual(await rows(app), [1, 1]);
  }
});

test('BL4 a file that another node removes while it is read ends in an error, not early', pgOptions, async (t) => {
  const { app, one, two } = await twoNodes(t);
  await one.put('exports', 'a', inParts(noise(3 * MIB), MIB));
  const { stream, bytes } = (await one.open('exports', 'a')) ?? assert.fail();
  let length = 0;
  const reading = (async () => {
    for await (const part of stream) {
      if (length === 0) assert.equal(await two.removeOld('exports', Date.now() + 3_600_000, new Set()), 1);
      length += part.length;
    }
  })();
  await assert.rejects(
    reading,
    (error) => error instanceof BlobsUnavailable && /removed or replaced while it was read/.test(error.message),
  );
  assert.ok(length < bytes, `${length} of ${bytes}`);
  assert.deepEqual(await rows(app), [0, 0]);
});

test('BL5 while the database does not answer, no more than a chunk is taken; a reader asks for one ahead', pgOptions, async (t) => {
  const { one, nodes } = await twoNodes(t);
  let made = 0;
  const small = async function* (): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 3_000; n++) {
      made += 1_000;
      yield noise(1_000);
    }
  };
  let madeThen = 0;
  nodes[0].proxy.once('rosterd-file-chunk', async (exchange) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    madeThen = made;
    exchange.answer(await exchange.forward());
  });
  assert.equal(await one.put('uploads', 'a', small()), 3_000_000);
  assert.ok(madeThen > 0 && madeThen <= MIB + 1_000, `${madeThen} bytes`);
  let reads = 0;
  nodes[0].proxy.on('rosterd-file-read', async (exchange) => {
    reads++;
    exchange.answer(await exchange.forward());
  });
  const { stream } = (await one.open('uploads', 'a')) ?? assert.fail();
  await new Promise((resolve) => stream.once('readable', resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(reads, 1);
  let length = 0;
  for await (const part of stream) length += part.length;
  assert.deepEqual([reads, length], [3, 3_000_000]);
});

test('BL6 housekeeping of another node spares what arrives, however slowly', pgOptions, async (t) => {
  const { app, one, two } = await twoNodes(t, undefined, 1);
  const chunks = new Arriving();
  const putting = one.put('uploads', 'slow', chunks);
  let sent = 0;
  for (let n = 0; n < 3; n++) {
    await setStored(app, 'slow', HOUR_AGO);
    // A part of a chunk is stored, as a sign.
    await eventually(async () => {
      chunks.send(Buffer.from('x'));
      sent++;
      const recent = `select count(*) from rosterd.file where app = '${app}' and stored_at > clock_timestamp() - interval '1 minute'`;
      return (await kit.postgres.sql(recent)) === '1\n';
    });
    assert.equal(await two.removeOld('uploads', Date.now() + 3_600_000, new Set()), 0);
  }
  chunks.end();
  assert.equal(await putting, sent);
  assert.equal(String(await contentOf(two, 'uploads', 'slow')), 'x'.repeat(sent));
});

test('BL6 what a node left unfinished when it ended goes after an hour, and is no file', pgOptions, async (t) => {
  const { app, one, two } = await twoNodes(t);
  void one.put('uploads', 'a', endless()).catch(() => {});
  await eventually(async () => ((await rows(app))[1] ?? 0) >= 2);
  await one.close();
  await eventually(
    async () => (await kit.postgres.sql(`select count(*) from pg_stat_activity where application_name = 'rosterd-files-writer'`)) === '0\n',
  );
  const remove = () => two.removeOld('uploads', Date.now() + 3_600_000, new Set());
  assert.equal(await remove(), 0);
  assert.equal((await rows(app))[0], 1, 'it may arrive still');
  await setStored(app, 'a', HOUR_AGO);
  assert.equal(await remove(), 0, 'it was no file');
  assert.deepEqual(await rows(app), [0, 0]);
  assert.equal(await two.put('uploads', 'a', text('again')), 5);
});

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) {
    yield noise(MIB);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test(
  'BL6 a file that stood still for too long is never there in part: not with its next chunk, and not at its end',
  pgOptions,
  async (t) => {
    const { app, one, two } = await twoNodes(t);
    for (const more of [noise(MIB), undefined]) {
      const chunks = new Arriving();
      const putting = one.put('uploads', 'a', chunks);
      chunks.send(noise(2 * MIB));
      await eventually(async () => (await rows(app))[1] === 2);
      await setStored(app, 'a', HOUR_AGO);
      await two.removeOld('uploads', 0, new Set());
      if (more !== undefined) chunks.send(more);
      chunks.end();
      await assert.rejects(putting, (error) => error instanceof BlobsUnavailable && /stood still for too long/.test(error.message));
      assert.deepEqual(await rows(app), [0, 0]);
    }
  },
);

test('BL1 a file of which the database has lost a chunk is not stored', pgOptions, async (t) => {
  const { app, one, two } = await twoNodes(t);
  const chunks = new Arriving();
  const putting = one.put('uploads', 'a', chunks);
  chunks.send(noise(3 * MIB));
  await eventually(async () => (await rows(app))[1] === 3);
  // As after a failover that lost it.
  await kit.postgres.sql(`delete from rosterd.file_chunk where app = '${app}' and part = 1`);
  chunks.end();
  await assert.rejects(putting, (error) => error instanceof BlobsUnavailable && /has lost a part of it/.test(error.message));
  assert.equal(await two.has('uploads', 'a'), false);
});

test('BL7 who lost the job in the middle of a write replaces and removes nothing', pgOptions, async (t) => {
  const { app, one, two, nodes } = await twoNodes(t);
  const [mine, other] = nodes.map(({ log }) => new PostgresLeases(app, log.links, 'node'));
  assert.ok(mine !== undefined && other !== undefined);
  t.after(() => Promise.all([mine.close(), other.close()]));
  await mine.take('tasks');
  await mine.stamp('tasks', 5);
  const fence = { job: 'tasks', token: 5 };
  const write = (blobs: PostgresBlobs, content: string, by = fence) =>
    blobs.put('exports', 'a', text(content), { replaces: true, fence: by });
  await write(one, 'before');
  nodes[0].proxy.once('rosterd-file-store', async (exchange) => {
    await kit.postgres.sql(`update rosterd.lease set until = clock_timestamp() where app = '${app}'`);
    await other.take('tasks');
    assert.equal(await other.stamp('tasks', 6), true);
    await write(two, 'of the new holder', { job: 'tasks', token: 6 });
    exchange.answer(await exchange.forward());
  });
  await assert.rejects(write(one, 'late'), (error) => error instanceof LeaseLost && /does the job "tasks" now/.test(error.message));
  assert.equal(String(await contentOf(one, 'exports', 'a')), 'of the new holder');
  assert.deepEqual(await rows(app), [1, 1 + Math.floor('of the new holder'.length / MIB)]);
  await assert.rejects(one.removeOld('exports', Date.now() + 3_600_000, new Set(), fence), LeaseLost);
  assert.equal(await one.has('exports', 'a'), true);
  assert.equal(await two.removeOld('exports', Date.now() + 3_600_000, new Set(), { job: 'tasks', token: 6 }), 1);
});
