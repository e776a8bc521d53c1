/** BL8: files while connections are lost, answers do not come, and the database is away or full. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { BlobsUnavailable } from '../../../store/blobs.ts';
import { PostgresBlobs } from '../../../store/postgres/blobs.ts';
import { eventually } from '../../support/eventually.ts';
import { Arriving, contentOf, inParts, noise } from '../../support/store/blobs-contract.ts';
import { PgKit, type PgNode, pgOptions } from '../../support/store/pg-kit.ts';
import type { Exchange } from '../../support/store/pg-proxy.ts';

const kit = PgKit.ofProcess();
const MIB = 1024 * 1024;

interface One {
  readonly app: string;
  readonly node: PgNode;
  readonly blobs: PostgresBlobs;
}

async function oneNode(t: TestContext, deadlineMs = 20_000, app: string = randomUUID()): Promise<One> {
  const node = await kit.node(app);
  const blobs = new PostgresBlobs({ app, links: node.log.links, deadlineMs });
  t.after(async () => {
    await blobs.close();
    await kit.closeNodes();
  });
  return { app, node, blobs };
}

async function rows(app: string): Promise<readonly number[]> {
  const counts = ['file', 'file_chunk'].map((table) => kit.postgres.sql(`select count(*) from rosterd.${table} where app = '${app}'`));
  return (await Promise.all(counts)).map(Number);
}

const STEPS = ['rosterd-file-has', 'rosterd-file-begin', 'rosterd-file-chunk', 'rosterd-file-store'];

test('BL8 a question whose answer is lost is asked again: the file is stored once, and whole', pgOptions, async (t) => {
  const { app, node, blobs } = await oneNode(t);
  const bytes = noise(2 * MIB + 9);
  const losing: [string, (exchange: Exchange) => Promise<void>][] = [
    ['before it arrives', async (exchange) => exchange.cut()],
    [
      'after it arrived',
      async (exchange) => {
        await exchange.forward();
        exchange.cut();
      },
    ],
  ];
  let stored = 0;
  let lost = 0;
  for (const step of STEPS) {
    for (const [what, lose] of losing) {
      node.proxy.once(step, async (exchange) => {
        lost++;
        await lose(exchange);
      });
      // A name that is no step's: the proxy looks for those in the whole question.
      const name = `file ${lost}`;
      assert.equal(await blobs.put('uploads', name, inParts(bytes, MIB)), bytes.length, `${step} ${what}`);
      assert.ok((await contentOf(blobs, 'uploads', name))?.equals(bytes), `${step} ${what}`);
      assert.deepEqual(await rows(app), [++stored, 3 * stored]);
    }
  }
  assert.equal(lost, 8);
  node.proxy.once('rosterd-file-read', async (exchange) => exchange.cut());
  assert.ok((await contentOf(blobs, 'uploads', 'file 1'))?.equals(bytes));
  node.proxy.once('rosterd-file-remove', async (exchange) => {
    await exchange.forward();
    exchange.cut();
  });
  await blobs.removeOld('uploads', Date.now() + 3_600_000, new Set());
  assert.deepEqual(await rows(app), [0, 0]);
});

test('BL8 a last step that arrives late harms no later file', pgOptions, async (t) => {
  const { app, node, blobs } = await oneNode(t);
  const put = (content: string) => blobs.put('exports', 'a', inParts(Buffer.from(content), 5), { replaces: true });
  let late: Exchange | undefined;
  node.proxy.once('rosterd-file-store', async (exchange) => {
    late = exchange;
    exchange.cutClient();
  });
  // An empty one, whose chunks nobody misses.
  await put('');
  await put('second');
  assert.ok(late !== undefined);
  await late.forward();
  assert.equal(String(await contentOf(blobs, 'exports', 'a')), 'second');
  assert.deepEqual(await rows(app), [1, 1]);
  // It may also arrive between the second attempt and its answer.
  node.proxy.once('rosterd-file-store', async (exchange) => {
    exchange.cutClient();
    node.proxy.once('rosterd-file-store', async (again) => {
      await exchange.forward();
      again.answer(await again.forward());
    });
  });
  await put('third');
  assert.equal(String(await contentOf(blobs, 'exports', 'a')), 'third');
  assert.deepEqual(await rows(app), [1, 1]);
});

test('BL2 BL8 a transfer survives a crash and a restart of the database', pgOptions, async (t) => {
  const { blobs } = await oneNode(t);
  const chunks = new Arriving();
  const bytes = noise(3 * MIB);
  const putting = blobs.put('uploads', 'a', chunks);
  chunks.send(bytes.subarray(0, 2 * MIB));
  await eventually(() => chunks.taken === 1);
  await kit.postgres.kill();
  chunks.send(bytes.subarray(2 * MIB));
  chunks.end();
  await kit.postgres.start();
  assert.equal(await putting, bytes.length);
  await kit.postgres.kill();
  await kit.postgres.start();
  assert.ok((await contentOf(blobs, 'uploads', 'a'))?.equals(bytes), 'what was acknowledged is there after the next crash');
});

test('BL8 while the database is away, everything is refused in time, and nothing of it happens later', pgOptions, async (t) => {
  const { app, node, blobs } = await oneNode(t, 400);
  await blobs.put('uploads', 'there', inParts(Buffer.from('x'), 1));
  const chunks = new Arriving();
  const putting = blobs.put('uploads', 'half', chunks);
  chunks.send(noise(10));
  await eventually(async () => (await rows(app))[0] === 2);
  node.proxy.isAway = true;
  node.proxy.cutAll();
  const refused = (work: Promise<unknown>) =>
    assert.rejects(work, (error) => error instanceof BlobsUnavailable && /the database does not answer/.test(error.message));
  const startMs = performance.now();
  chunks.end();
  await Promise.all([
    refused(putting),
    refused(blobs.put('uploads', 'b', chunks)),
    refused(blobs.put('exports', 'b', chunks, { replaces: true })),
    refused(blobs.has('uploads', 'there')),
    refused(blobs.open('uploads', 'there')),
    refused(blobs.removeOld('uploads', Date.now() + 3_600_000, new Set())),
  ]);
  assert.ok(performance.now() - startMs < 2_000);
  node.proxy.isAway = false;
  await eventually(async () => (await blobs.has('uploads', 'there').catch(() => undefined)) === true);
  await blobs.put('uploads', 'after', inParts(Buffer.from('x'), 1));
  assert.equal(await blobs.has('uploads', 'half'), false);
  const names = await kit.postgres.sql(
    `select string_agg(folder || '/' || name, ' ' order by name) from rosterd.file where app = '${app}'`,
  );
  assert.equal(names, 'uploads/after uploads/half uploads/there\n', 'nothing was removed or begun late');
});

test('BL8 files are closed while the database is away, and then everything is refused at once', pgOptions, async (t) => {
  const { node, blobs } = await oneNode(t);
  await blobs.has('uploads', 'a');
  node.proxy.isAway = true;
  node.proxy.cutAll();
  await eventually(() => node.log.status.state === 'away');
  const chunks = new Arriving();
  const waiting = [blobs.has('uploads', 'a'), blobs.put('exports', 'a', chunks, { replaces: true })].map((work) =>
    assert.rejects(work, BlobsUnavailable),
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  const startMs = performance.now();
  await blobs.close();
  await assert.rejects(blobs.has('uploads', 'a'), BlobsUnavailable);
  assert.ok(performance.now() - startMs < 2_000);
  await node.log.close();
  await Promise.all(waiting);
});

test('BL8 on a full disk nothing is stored, nothing remains, and the reason is said', pgOptions, async (t) => {
  const { app, blobs } = await oneNode(t);
  await blobs.put('exports', 'a', inParts(Buffer.from('before'), 9));
  await kit.postgres.sql(`
    create or replace function rosterd.refuse_chunk() returns trigger language plpgsql
      as $$ begin raise exception using errcode = '53100', message = 'could not extend file'; end $$;
    create trigger refuse before insert on rosterd.file_chunk for each row when (new.part = 1) execute function rosterd.refuse_chunk()`);
  try {
    const putting = blobs.put('exports', 'a', inParts(noise(3 * MIB), MIB), { replaces: true });
    await assert.rejects(
      putting,
      (error) => error instanceof BlobsUnavailable && error.message === 'there is no space left to store the file',
    );
    assert.equal(String(await contentOf(blobs, 'exports', 'a')), 'before');
  } finally {
    await kit.postgres.sql('drop trigger refuse on rosterd.file_chunk');
  }
  await blobs.put('exports', 'a', inParts(noise(3 * MIB), MIB), { replaces: true });
  await eventually(async () => (await rows(app))[0] === 1);
});

const own = (sql: string): Promise<string> => kit.postgres.sql(`set synchronous_commit = local; ${sql}`);

/** The waits of the writers of files. */
const WAITING = "from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'rosterd-files-writer'";
const isWaiting = async (): Promise<boolean> => (await own(`select count(*) ${WAITING}`)) === '1\n';

test('BL2 a commit whose wait for the standby was cancelled does not count', pgOptions, async (t) => {
  const { node, blobs } = await oneNode(t);
  let stores = 0;
  node.proxy.on('rosterd-file-store', async (exchange) => {
    if (++stores === 1) await kit.standby('missing');
    exchange.answer(await exchange.forward());
  });
  let isStored = false;
  const putting = blobs.put('uploads', 'a', inParts(Buffer.from('x'), 1)).finally(() => {
    isStored = true;
  });
  try {
    await eventually(isWaiting);
    await own(`select pg_cancel_backend(pid) ${WAITING}`);
    await eventually(() => stores === 2);
    await eventually(isWaiting);
    assert.equal(isStored, false);
  } finally {
    await kit.standby('');
  }
  assert.equal(await putting, 1);
});

test('BL3 a file that is visible and may still be lost is neither there nor in the way', pgOptions, async (t) => {
  const { app, blobs } = await oneNode(t);
  await blobs.put('uploads', 'other', inParts(Buffer.from('x'), 1));
  await kit.standby('missing');
  const answers: unknown[] = [];
  let asking: Promise<unknown> = Promise.resolve();
  try {
    // As after a crash of the server while the commit waited.
    await own(`update rosterd.file set name = 'a' where app = '${app}'`);
    asking = blobs.has('uploads', 'a').then((has) => answers.push(has));
    await eventually(isWaiting);
    await own(`select pg_cancel_backend(pid) ${WAITING}`);
    assert.equal(await blobs.has('exports', 'b').catch(String), false, 'there is nothing to be sure of');
    await eventually(isWaiting);
    assert.deepEqual(answers, []);
    // A failover took it back.
    await own(`update rosterd.file set name = 'other' where app = '${app}'`);
    await own(`select pg_cancel_backend(pid) ${WAITING}`);
    await asking;
  } finally {
    await kit.standby('');
  }
  assert.deepEqual(answers, [false]);
  assert.equal(await blobs.put('uploads', 'a', inParts(Buffer.from('y'), 1)), 1);
});
