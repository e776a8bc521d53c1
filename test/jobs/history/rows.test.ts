/** What the writing node gathers for the rows of the history: HY2, HY4, HY9. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryChange } from '../../../daemon/jobs/history/record.ts';
import { HistoryRows } from '../../../daemon/jobs/history/rows.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { HistoryBatch, HistoryLimits, HistoryWriter } from '../../../store/history.ts';

const change = (seq: number, id = 'ann'): HistoryChange => ({
  ...{ id, seq, at: seq * 10, event: 'updated', from: { source: 'server', by: 'Zoë' }, fields: ['name'] },
});

interface Written {
  readonly from: Position;
  readonly seq: number;
  readonly changes: readonly (readonly [string, number, number, string])[];
}

/** A table that takes everything. */
class FakeWriter implements HistoryWriter {
  readonly written: Written[] = [];
  readonly tidied: HistoryLimits[] = [];
  readonly #position: Position | undefined;
  bytes = 0;
  error: Error | undefined;

  constructor(position?: Position) {
    this.#position = position;
  }

  position = async () => this.#position;
  begin = async () => {};
  remove = async () => {};
  close = async () => {};

  async record({ from, seq, users, seqs, times, records, lengths }: HistoryBatch): Promise<number> {
    if (this.error !== undefined) throw this.error;
    let at = 0;
    const texts = lengths.map((length) => {
      at += length;
      return records.toString('utf8', at - length, at);
    });
    assert.equal(at, records.length);
    this.written.push({ from, seq, changes: users.map((id, n) => [id, seqs[n] ?? 0, times[n] ?? 0, texts[n] ?? '']) });
    return this.bytes;
  }

  async tidy(limits: HistoryLimits): Promise<void> {
    this.tidied.push(limits);
  }
}

const RECORD = '{"event":"updated","from":{"source":"server","by":"Zoë"},"fields":["name"]}';

test('HY2 a flush stores what was taken since the last one, with its position, and nothing twice', async () => {
  const writer = new FakeWriter({ epoch: 'one', seq: 7 });
  const rows = await HistoryRows.open(writer, 1e6);
  assert.deepEqual([rows.position, rows.hasRecords, rows.isFull], [{ epoch: 'one', seq: 7 }, false, false]);
  await rows.flush();
  for (const seq of [6, 7, 8, 8, 9]) rows.append(change(seq));
  rows.advance(12, 120);
  rows.advance(11, 110);
  assert.deepEqual([rows.position, rows.hasRecords], [{ epoch: 'one', seq: 12 }, true]);
  await rows.flush();
  await rows.flush();
  rows.advance(13, 130);
  assert.equal(rows.hasRecords, false);
  await rows.flush();
  rows.append(change(14, 'bob'));
  await rows.begin({ epoch: 'two', after: 3, time: 0 });
  rows.append(change(4));
  await rows.flush();
  assert.deepEqual(writer.written, [
    {
      ...{ from: { epoch: 'one', seq: 7 }, seq: 12 },
      changes: [
        ['ann', 8, 80, RECORD],
        ['ann', 9, 90, RECORD],
      ],
    },
    { from: { epoch: 'one', seq: 12 }, seq: 13, changes: [] },
    { from: { epoch: 'one', seq: 13 }, seq: 14, changes: [['bob', 14, 140, RECORD]] },
    { from: { epoch: 'two', seq: 3 }, seq: 4, changes: [['ann', 4, 40, RECORD]] },
  ]);
});

test('HY2 it is full before its buffer is, in bytes and in changes', async () => {
  const rows = await HistoryRows.open(new FakeWriter({ epoch: 'one', seq: 0 }), 1e6);
  const long = Array.from({ length: 3_000 }, (_, n) => `custom.field-${n}`);
  let count = 0;
  while (!rows.isFull) rows.append({ ...change(++count), fields: long });
  assert.ok(count > 8 && count < 14, `${count} changes of about 50 KiB`);
  await rows.flush();
  assert.equal(rows.isFull, false);
  let short = 0;
  while (!rows.isFull) rows.append(change(count + ++short));
  assert.equal(short, 5_000);
});

test('HY9 after a failed write, of which nothing is known, nothing more is sent or changed', async () => {
  const writer = new FakeWriter({ epoch: 'one', seq: 0 });
  const rows = await HistoryRows.open(writer, 1e6);
  rows.append(change(1));
  writer.error = new Error('no answer');
  await assert.rejects(rows.flush(), /no answer/);
  writer.error = undefined;
  rows.append(change(2));
  assert.deepEqual(rows.position, { epoch: 'one', seq: 1 });
  for (const write of [() => rows.flush(), () => rows.tidy(1, 1), () => rows.begin({ epoch: 'two', after: 0, time: 0 })])
    await assert.rejects(write(), /an earlier write of the history of users failed/);
  assert.deepEqual([writer.written, writer.tidied], [[], []]);
});

test('HY4 what grows beyond its bytes between two hourly rounds is cut back at once, a part at a time', async () => {
  const writer = new FakeWriter({ epoch: 'one', seq: 0 });
  const rows = await HistoryRows.open(writer, 3_200);
  writer.bytes = 3_200;
  rows.append(change(1));
  await rows.flush();
  assert.deepEqual(writer.tidied, []);
  writer.bytes = 3_201;
  rows.append(change(2));
  await rows.flush();
  assert.deepEqual(writer.tidied, [{ now: 20, notBefore: 0, bytesMax: 3_100 }]);
  await rows.tidy(1_000, 300);
  assert.deepEqual(writer.tidied[1], { now: 1_000, notBefore: 700, bytesMax: 3_200 });
});
