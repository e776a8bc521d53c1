/** OP7, OP9: the history in a database as it is at one moment, and what is wrong with it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { Entry } from '../../../../protocol/log/entry.ts';
import { LogDamaged } from '../../../../store/log.ts';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import { withServer } from '../../../../store/postgres/offline/database.ts';
import { StoredHistory } from '../../../../store/postgres/offline/history.ts';
import { replaceHistory } from '../../../../store/postgres/offline/replace.ts';
import { snapshotHeader, snapshotTrailer } from '../../../../store/snapshot/codec.ts';
import { Sums } from '../../../../store/snapshot/lines.ts';
import { SnapshotDamaged, type SnapshotLine } from '../../../../store/snapshot.ts';
import { appendAll, appendOne, draft } from '../../../support/store/entries.ts';
import { PgKit, type PgNode, pgOptions } from '../../../support/store/pg-kit.ts';
import { snapshotAt, someLines } from '../../../support/store/snapshot-contract.ts';

const kit = PgKit.ofProcess();

interface Filled extends PgNode {
  readonly app: string;
}

/** Entries of one fact each, in the epoch `e`. */
async function filled(count: number): Promise<Filled> {
  const app = randomUUID();
  const node = await kit.node(app, { begin: { epoch: 'e', seq: 0 } });
  await Promise.all(
    appendAll(
      node.log,
      Array.from({ length: count }, (_, n) => draft(`e${n + 1}`)),
    ),
  );
  return { ...node, app };
}

const read = <T>(app: string, work: (history: StoredHistory) => Promise<T>): Promise<T> => StoredHistory.read(kit.url(), app, work);

async function idsOf(entries: AsyncIterable<Entry>, into: string[] = []): Promise<string[]> {
  for await (const { id } of entries) into.push(id);
  return into;
}

async function linesOf(history: StoredHistory): Promise<SnapshotLine[]> {
  const lines: SnapshotLine[] = [];
  for await (const some of (await history.snapshot())?.chunks() ?? []) lines.push(...some);
  return lines;
}

const ids = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, n) => `e${from + n}`);

test('OP7 all entries of one moment are read, whatever is appended meanwhile, from any position', pgOptions, async () => {
  const { app, log } = await filled(1_203);
  await read(app, async (history) => {
    await appendOne(log, draft('later'));
    assert.deepEqual([history.app, history.head, history.tail, history.snapshotCount], [app, { epoch: 'e', seq: 1_203 }, 0, 0]);
    assert.deepEqual(await idsOf(history.entries(0)), ids(1, 1_203));
    assert.deepEqual(await idsOf(history.entries(500)), ids(501, 1_203));
    assert.deepEqual(await idsOf(history.entries(1_203)), []);
    assert.deepEqual([await history.damage(), await history.snapshot()], [[], undefined]);
  });
  const connections = "select count(*) from pg_stat_activity where application_name = 'rosterd-command' and state like 'idle in%'";
  assert.equal(await kit.postgres.sql(connections), '0\n', 'no transaction stays open');
});

test('OP9 each entry that is missing or damaged is named, at any place, and reading ends before the first', pgOptions, async () => {
  const { app } = await filled(30);
  const place = `the table rosterd.entry of ${app}`;
  const found = () => read(app, async (history) => (await history.damage()).map((one) => [one.place, one.seq, one.reason]));
  assert.deepEqual(await found(), []);
  const where = (text: string) => `where app = '${app}' and ${text}`;
  await kit.postgres.sql(`delete from rosterd.entry ${where('last in (5, 6, 9, 30)')}`);
  await kit.postgres.sql(`update rosterd.entry set payload = '{}' ${where('last = 12')}`);
  await kit.postgres.sql(`update rosterd.entry set version = 99 ${where('last = 14')}`);
  assert.deepEqual(await found(), [
    [place, 6, '5 to 6 are missing'],
    [place, 9, '9 is missing'],
    [place, 12, 'the payload does not match its checksum'],
    [place, 14, `entry 14 in ${place} has format version 99, this rosterd knows ${ENTRY_FORMATS.newest}: start the version that wrote it`],
    [place, 30, '30 is missing'],
  ]);
  const got: string[] = [];
  await assert.rejects(
    read(app, (history) => idsOf(history.entries(0), got)),
    (error) => error instanceof LogDamaged && error.offset === 6 && error.file === place && error.reason === '5 to 6 are missing',
  );
  assert.deepEqual(got, ids(1, 4));
  await kit.postgres.sql(`delete from rosterd.entry ${where('last <= 6 or last >= 12')}`);
  assert.deepEqual(await found(), [
    [place, 6, '1 to 6 are missing'],
    [place, 9, '9 is missing'],
    [place, 30, '12 to 30 are missing'],
  ]);
  await kit.postgres.sql(`update rosterd.head set tail = 9 where app = '${app}'`);
  assert.deepEqual(await found(), [[place, 30, '12 to 30 are missing']], 'nothing is expected up to the tail');
});

test('OP9 the newest whole snapshot is taken, and each that is damaged is named', pgOptions, async () => {
  const { app, snapshots } = await filled(5);
  for (const seq of [3, 5]) await snapshots.save({ position: snapshotAt(seq), lines: someLines(40, `at ${seq}`) });
  const numbers = (await kit.postgres.sql(`select number from rosterd.snapshot where app = '${app}' order by number`)).trim().split('\n');
  const nameOf = (at: number): string => `snapshot ${numbers[at]} in the table rosterd.snapshot`;
  await read(app, async (history) => {
    assert.deepEqual([history.snapshotCount, (await history.snapshot())?.position.seq], [2, 5]);
    assert.deepEqual(await linesOf(history), [...someLines(40, 'at 5')()]);
    assert.deepEqual(await history.damage(), []);
  });
  const chunk = (at: number, change: string) =>
    kit.postgres.sql(`update rosterd.snapshot_chunk set ${change} where app = '${app}' and number = ${numbers[at]}`);
  await chunk(1, 'part = part + 1');
  await read(app, async (history) => {
    assert.equal((await history.snapshot())?.position.seq, 3);
    assert.deepEqual(await linesOf(history), [...someLines(40, 'at 3')()]);
    assert.deepEqual(await history.damage(), [{ place: nameOf(1), seq: undefined, reason: 'chunk 0 of 1 is missing' }]);
  });
  await chunk(0, "data = '\\x00'");
  await read(app, async (history) => {
    await assert.rejects(history.snapshot(), (error) => error instanceof SnapshotDamaged && error.file === nameOf(1));
    assert.deepEqual(
      (await history.damage()).map(({ place, reason }) => [place, reason]),
      [
        [nameOf(1), 'chunk 0 of 1 is missing'],
        [nameOf(0), 'it cannot be unpacked'],
      ],
    );
  });
});

test('OP9 a snapshot of another version is one that is not whole', pgOptions, async () => {
  const app = randomUUID();
  const head = { epoch: 'e', seq: 7 };
  await replaceHistory(kit.url(), { app, secret: 'secret', replaces: false }, async () => ({
    ...{ head, tail: 7, entries: undefined },
    snapshot: async (write) => {
      const header = Buffer.from(snapshotHeader(head).replace(/"version":\d+/, '"version":99'));
      const sums = new Sums({ hasSha: false });
      sums.add(header);
      await write(header);
      await write(Buffer.from(snapshotTrailer(0, sums)));
    },
  }));
  await read(app, async (history) => {
    await assert.rejects(history.snapshot(), (error) => error instanceof SnapshotDamaged && /version 99/.test(error.reason));
    assert.match((await history.damage())[0]?.reason ?? '', /has format version 99/);
  });
});

test('OP9 a log that goes away between the looks at it is an error', pgOptions, async () => {
  const { log } = await filled(1);
  assert.equal(log.head.seq, 1);
  await withServer(kit.url(), async (database) => {
    await assert.rejects(StoredHistory.of(database, 'nobody'), /the log of nobody was removed meanwhile/);
  });
});
