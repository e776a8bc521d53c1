/** The `Blobs` contract (BL1–BL6) on PostgreSQL. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import type { Blobs } from '../../store/blobs.ts';
import { PostgresBlobs } from '../../store/postgres/blobs.ts';
import { eventually } from '../support/eventually.ts';
import { Arriving, type BlobsAdapter, blobsContract, noise } from '../support/store/blobs-contract.ts';
import { PgKit, pgOptions } from '../support/store/pg-kit.ts';

const opened = new Map<Blobs, string>();
// Before the server is stopped.
after(async () => {
  for (const blobs of opened.keys()) if (blobs instanceof PostgresBlobs) await blobs.close();
});
const kit = PgKit.ofProcess();

const adapter: BlobsAdapter = {
  async open() {
    const app = randomUUID();
    const { log } = await kit.node(app);
    const blobs = new PostgresBlobs({ app, links: log.links, deadlineMs: 5_000 });
    opened.set(blobs, app);
    return blobs;
  },
  async age(blobs, folder, name, storedMs) {
    const key = `app = '${opened.get(blobs) ?? assert.fail()}' and folder = '${folder}' and name = '${name}'`;
    await kit.postgres.sql(`update rosterd.file set stored_at = to_timestamp(${storedMs} / 1000.0) where ${key}`);
  },
};

describe('PostgreSQL', pgOptions, () => blobsContract(adapter));

test('BL1 a file is chunks of 1 MiB, and a row that gets their number and length last', pgOptions, async () => {
  const blobs = await adapter.open();
  const app = opened.get(blobs) ?? assert.fail();
  const row = () => kit.postgres.sql(`select folder, name, chunks, bytes from rosterd.file where app = '${app}'`);
  const sizes = () =>
    kit.postgres.sql(`select string_agg(length(data)::text, ' ' order by part) from rosterd.file_chunk where app = '${app}'`);
  const chunks = new Arriving();
  const putting = blobs.put('uploads', 'a', chunks);
  chunks.send(noise(2_500_000));
  await eventually(async () => (await sizes()) === '1048576 1048576\n');
  assert.equal(await row(), 'uploads|a||\n');
  chunks.end();
  await putting;
  assert.deepEqual([await row(), await sizes()], ['uploads|a|3|2500000\n', '1048576 1048576 402848\n']);
});
