/** FI2–FI6 on two nodes that share a database: uploads and exports of either are there on both. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { Files } from '../../../daemon/jobs/transfer/files.ts';
import { type ErrorKind, RosterError } from '../../../protocol/base/errors.ts';
import { EXPORT_FILE } from '../../../protocol/transfer/exports.ts';
import { PostgresBlobs } from '../../../store/postgres/blobs.ts';
import { eventually } from '../../support/eventually.ts';
import { PgKit, type PgNode, pgOptions } from '../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();
const PATH = '11111111-2222-3333-4444-555555555555/users.jsonl';
const MIB = 1024 * 1024;

interface Node {
  readonly node: PgNode;
  readonly files: Files;
}

async function twoNodes(t: TestContext, silenceMs = 60_000): Promise<{ readonly app: string; readonly one: Node; readonly two: Node }> {
  const app = randomUUID();
  const open = async (): Promise<Node> => {
    const node = await kit.node(app);
    const blobs = new PostgresBlobs({ app, links: node.log.links, deadlineMs: 5_000 });
    t.after(() => blobs.close());
    return { node, files: new Files(blobs, { silenceMs }) };
  };
  const nodes = { app, one: await open(), two: await open() };
  t.after(() => kit.closeNodes());
  return nodes;
}

async function text(stream: Readable | undefined): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream ?? []) parts.push(part);
  return Buffer.concat(parts).toString();
}

function refused(work: Promise<unknown>, kind: ErrorKind, message: RegExp): Promise<void> {
  return assert.rejects(work, (error) => error instanceof RosterError && error.kind === kind && message.test(error.message));
}

const rows = async (app: string): Promise<number> =>
  Number(
    await kit.postgres.sql(
      `select (select count(*) from rosterd.file where app = '${app}') + count(*) from rosterd.file_chunk where app = '${app}'`,
    ),
  );

test('FI2 FI6 an upload and an export of one node are read on the other', pgOptions, async (t) => {
  const { one, two } = await twoNodes(t);
  await one.files.saveUpload(PATH, Readable.from([Buffer.from('from one')]), 100);
  assert.equal(await two.files.hasUpload(PATH), true);
  const upload = await two.files.openUpload(PATH);
  assert.deepEqual([upload?.bytes, await text(upload?.stream)], [8, 'from one']);
  await two.files.writeExport('task', ['a', 'b']);
  await two.files.writeExport('task', ['c']);
  assert.equal(await text((await one.files.openExport('task', EXPORT_FILE))?.stream), 'c\n');
  assert.equal(await one.files.openExport('another', EXPORT_FILE), undefined);
});

test('FI4 a path takes one file, once, whichever node it is sent to', pgOptions, async (t) => {
  const { one, two } = await twoNodes(t);
  const [first, second] = [new PassThrough(), new PassThrough()];
  const saving = [one.files.saveUpload(PATH, first, 100), two.files.saveUpload(PATH, second, 100)] as const;
  await refused(one.files.saveUpload(PATH, Readable.from(['third']), 100), 'conflict', /^this file is being uploaded at the moment$/);
  first.write('first');
  second.end('second');
  assert.deepEqual(await saving[1], { bytes: 6 });
  first.end();
  await refused(saving[0], 'conflict', /^this file was uploaded already; ask for another URL/);
  await refused(one.files.saveUpload(PATH, Readable.from(['fourth']), 100), 'conflict', /^this file was uploaded already/);
  assert.equal(await text((await one.files.openUpload(PATH))?.stream), 'second');
});

test('FI3 an upload that is too big, breaks off or falls silent leaves no row', pgOptions, async (t) => {
  const { app, one } = await twoNodes(t);
  const part = Buffer.alloc(MIB + 10);
  const big = new PassThrough();
  big.write(part);
  big.write(part);
  await refused(one.files.saveUpload(PATH, big, 2 * MIB), 'too_big', /bigger than 2097152 bytes/);
  assert.equal(big.destroyed, false);
  for (const code of ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE']) {
    const broken = new PassThrough();
    broken.write(part);
    const saving = one.files.saveUpload(PATH, broken, 9 * MIB);
    const checked = refused(saving, 'input', /broke off before its end/);
    await eventually(async () => (await rows(app)) === 2);
    broken.destroy(Object.assign(new Error('cut'), { code }));
    await checked;
  }
  const silent = new PassThrough();
  silent.write(part);
  const { app: another, one: impatient } = await twoNodes(t, 200);
  await refused(impatient.files.saveUpload(PATH, silent, 9 * MIB), 'timeout', /nothing arrived for 200 ms/);
  assert.deepEqual([await rows(app), await rows(another)], [0, 0]);
});

test('DK1 BL8 while the database is away or full, callers get 503, not a lost connection of their own', pgOptions, async (t) => {
  const { app, one } = await twoNodes(t);
  await kit.postgres.sql(`
    create or replace function rosterd.refuse_chunk() returns trigger language plpgsql
      as $$ begin raise exception using errcode = '53100', message = 'could not extend file'; end $$;
    create trigger refuse before insert on rosterd.file_chunk for each row execute function rosterd.refuse_chunk()`);
  const saving = one.files.saveUpload(PATH, Readable.from(['x']), 9);
  await refused(saving, 'unavailable', /^there is no space left to store the file$/).finally(() =>
    kit.postgres.sql('drop trigger refuse on rosterd.file_chunk'),
  );
  assert.equal(await rows(app), 0);
  const source = new PassThrough();
  const later = one.files.saveUpload(PATH, source, 9 * MIB);
  await eventually(async () => (await rows(app)) === 1);
  one.node.proxy.isAway = true;
  one.node.proxy.cutAll();
  source.end('x');
  await Promise.all(
    [later, one.files.hasUpload(PATH), one.files.openExport('task', EXPORT_FILE)].map((work) =>
      refused(work, 'unavailable', /because the database does not answer$/),
    ),
  );
  assert.equal(source.destroyed || source.readableFlowing, true, 'the rest of the upload is discarded');
});
