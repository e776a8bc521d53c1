/** LG6, LG7, LG9: reading from the tables, in blocks. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { encodePayload, StoreVersionMismatch } from '../../../../store/journal/record.ts';
import { LogDamaged, LogTrimmed } from '../../../../store/log.ts';
import type { PgRow, Question } from '../../../../store/postgres/link/connection.ts';
import { Blocks } from '../../../../store/postgres/log/blocks.ts';
import { Confirmed } from '../../../../store/postgres/log/confirmed.ts';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import { answered, type Reply, scripted, serverError } from '../../../support/nodes/scripted.ts';
import { draft } from '../../../support/store/entries.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

beforeEach(() => kit.closeNodes());

/** The row of the entry with two facts that begins at `first`. */
function row(first: number): PgRow & { readonly payload: string } {
  const payload = encodePayload(draft(`e${first}`, { facts: 2 }));
  return { last: first + 1, first, version: ENTRY_FORMATS.newest, crc: crc32(payload), payload };
}

const rows = (...firsts: readonly number[]) => answered(...firsts.map(row));
const BYTES = row(1).payload.length;

interface Stage {
  readonly blocks: Blocks;
  readonly confirmed: Confirmed;
  readonly asked: readonly Question[];
  /** The first facts of the block after this place. */
  after(place: number): Promise<readonly number[]>;
}

/** Twenty facts are confirmed; two blocks of two entries are kept, and nothing is in memory. */
async function stage(t: TestContext, ...replies: readonly Reply[]): Promise<Stage> {
  const { log } = await kit.node(randomUUID(), { pulseMs: 600_000 });
  const link = await log.links.ready();
  const confirmed = new Confirmed({ epoch: 'e', seq: 20, id: 'e19' }, 0, { fence: 0, format: 1 }, 10_000, ENTRY_FORMATS);
  const asked = scripted(t, link.reader, ...replies);
  const blocks = new Blocks({ app: 'app', links: log.links, confirmed, blockBytes: 777, cacheBytes: 4.5 * BYTES });
  return { blocks, confirmed, asked, after: async (place) => (await blocks.after(place)).map(({ first }) => first) };
}

test('LG6 readers of one place share a question, and what it brought is in memory for others', pgOptions, async (t) => {
  const { blocks, confirmed, asked, after } = await stage(t, rows(1, 3));
  const reading = [after(0), after(0)];
  assert.equal(blocks.loading, 1);
  assert.deepEqual(await Promise.all(reading), [
    [1, 3],
    [1, 3],
  ]);
  assert.deepEqual([blocks.loading, asked.length, asked[0]?.values], [0, 1, ['app', 0, 20, 777]]);
  assert.equal(confirmed.recent(2)?.first, 3);
  assert.deepEqual([await after(0), asked.length], [[1, 3], 1], 'the block is kept');
});

test('LG6 as many blocks are kept as their bytes allow; the one that was used last goes last', pgOptions, async (t) => {
  const { asked, after } = await stage(t, rows(1, 3), rows(5, 7), rows(9, 11), rows(5, 7), rows(9, 11));
  await after(0);
  await after(4);
  assert.equal(asked.length, 2);
  await after(0);
  await after(8);
  await after(0);
  assert.equal(asked.length, 3, 'that after 0 was used later than that after 4');
  await after(4);
  await after(0);
  assert.equal(asked.length, 4);
  await after(8);
  assert.equal(asked.length, 5);
});

test('LG6 a block that reaches the end is asked for again: more entries may join it', pgOptions, async (t) => {
  const { asked, after } = await stage(t, rows(17, 19), rows(17, 19), rows(15));
  await after(16);
  await after(16);
  assert.equal(asked.length, 2);
  await after(14);
  assert.deepEqual([await after(14), asked.length], [[15], 3]);
});

test('LG6 an entry that reaches beyond the place is a whole one', pgOptions, async (t) => {
  const { after } = await stage(t, rows(5, 7));
  assert.deepEqual(await after(5), [5, 7]);
});

test('LG7 LG9 what is not there is trimmed, or damage, as the tail says', pgOptions, async (t) => {
  const tail = (at: number) => answered({ tail: at });
  const { confirmed, after } = await stage(t, rows(9), tail(8), rows(9), tail(4), answered(), tail(0), rows(11), tail(8));
  await assert.rejects(after(4), (error) => error instanceof LogTrimmed && error.tail === 8);
  assert.equal(confirmed.tail, 8);
  const isMissing = (at: number) => (error: unknown) =>
    error instanceof LogDamaged && error.offset === at && error.reason === 'the entry is missing' && error.file.endsWith('of app');
  await assert.rejects(after(4), isMissing(5), 'nothing up to the tail is asked for');
  await assert.rejects(after(2), isMissing(3));
  await assert.rejects(after(8), isMissing(9), 'one after the tail is missing');
});

test('LG6 LG9 a lost connection and a refusal of the server are waited out; damage and another version are not', pgOptions, async (t) => {
  const damaged = { ...row(1), crc: 1 };
  const other = { ...row(1), version: ENTRY_FORMATS.newest + 1 };
  const { asked, after } = await stage(t, new Error('cut'), serverError('57P01'), rows(1), answered(damaged), answered(other));
  assert.deepEqual([await after(0), asked.length], [[1], 3]);
  await assert.rejects(after(2), LogDamaged);
  await assert.rejects(after(2), StoreVersionMismatch);
  assert.equal(asked.length, 5);
});
