/** The `Blobs` contract (BL1–BL6) on PostgreSQL. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe } from 'node:test';
import type { Blobs } from '../../store/blobs.ts';
import { PostgresBlobs } from '../../store/postgres/blobs.ts';
import { type BlobsAdapter, blobsContract } from '../support/store/blobs-contract.ts';
import { PgKit, pgOptions } from '../support/store/pg-kit.ts';

const opened = new Map<Blobs, string>();
// Before the server is stopped.
after(async () => {
  for (const blobs of opened.keys()) if (blobs instanceof PostgresBlobs) await blobs.close();
});
const kit = PgKit.ofFile();

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
