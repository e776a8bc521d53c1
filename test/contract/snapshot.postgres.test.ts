/** The `SnapshotStore` contract (LG11) on PostgreSQL, and what holds there beyond it (PL8). */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import type { StoreEvent } from '../../store/events.ts';
import { openPostgresStore } from '../../store/postgres/store.ts';
import { SnapshotDamaged, type SnapshotLine } from '../../store/snapshot.ts';
import { appendOne, draft, readToHead } from '../support/store/entries.ts';
import { PgKit, type PgNode, pgOptions } from '../support/store/pg-kit.ts';
import { allLines, snapshotAt, snapshotContract, someLines } from '../support/store/snapshot-contract.ts';

const kit = PgKit.ofProcess();

/** A log of ten facts in the epoch `e`. */
async function filled(app: string = randomUUID(), onEvent: (event: StoreEvent) => void = () => {}): Promise<PgNode> {
  const node = await kit.node(app, { begin: { epoch: 'e', seq: 0 }, retention: { bytes: 0 }, onEvent });
  for (let n = node.log.head.seq; n < 10; n++) await appendOne(node.log, draft(`e${n}`));
  return node;
}

describe('PostgreSQL', pgOptions, () => snapshotContract(async () => (await filled()).snapshots));

test('PL8 lines of any length survive, in chunks', pgOptions, async () => {
  const app = randomUUID();
  const { snapshots } = await filled(app);
  // Noise, so that compression does not make one chunk of it.
  const noise = (length: number): string => Array.from({ length: length / 32 }, () => randomUUID()).join('ü');
  const long: SnapshotLine[] = [32, 300_000, 64, 1_000_000, 2_000_000].map((length) => ({ text: noise(length) }));
  await snapshots.save({ position: snapshotAt(4), lines: () => long });
  assert.deepEqual(await allLines(await snapshots.load()), long);
  const sizes = await kit.postgres.sql(`select length(data) from rosterd.snapshot_chunk where app = '${app}' order by part`);
  const [last = 0, ...full] = sizes.trim().split('\n').map(Number).reverse();
  assert.ok(full.length > 0 && full.every((size) => size === 1_048_576) && last > 0 && last <= 1_048_576, sizes);
});

test('PL8 the newest two are kept, and nothing of the others or of interrupted saves', pgOptions, async () => {
  const app = randomUUID();
  const { snapshots } = await filled(app);
  await assert.rejects(
    snapshots.save({
      position: snapshotAt(1),
      lines: function* (): Generator<SnapshotLine> {
        for (let n = 0; n < 100_000; n++) yield { text: randomUUID(), n };
        throw new Error('interrupted');
      },
    }),
    /interrupted/,
  );
  const rows = (table: string): Promise<string> =>
    kit.postgres.sql(`select count(distinct number) from rosterd.${table} where app = '${app}'`);
  assert.equal(await rows('snapshot_chunk'), '1\n', 'the interrupted one has left something');
  assert.equal(await snapshots.load(), undefined);
  for (let seq = 1; seq <= 5; seq++) await snapshots.save({ position: snapshotAt(seq), lines: someLines(3) });
  assert.deepEqual([await rows('snapshot'), await rows('snapshot_chunk')], ['2\n', '2\n']);
  assert.equal(
    (await kit.postgres.sql(`select string_agg(seq || entry_id, ' ' order by seq) from rosterd.snapshot where app = '${app}'`)).trim(),
    '4e3 5e4',
  );
});

test(
  'PL8 a snapshot of a place that the log does not have is refused: another epoch, beyond the head, before the tail',
  pgOptions,
  async () => {
    const { log, snapshots } = await filled();
    const save = (epoch: string, seq: number) => snapshots.save({ position: { epoch, seq }, lines: someLines(3) });
    await assert.rejects(save('other', 5), RangeError);
    await assert.rejects(save('e', 11), RangeError);
    for (const seq of [6, 7]) await save('e', seq);
    await log.snapshotSaved(7);
    assert.equal(log.tail, 6);
    await assert.rejects(save('e', 5), RangeError);
    await save('e', 6);
    assert.deepEqual((await snapshots.load())?.position, snapshotAt(7), 'a later save of an earlier place is not the newest');
  },
);

test(
  'PL8 damage is found, the older snapshot is used and the damage reported; without a whole one, loading refuses',
  pgOptions,
  async () => {
    const app = randomUUID();
    const events: StoreEvent[] = [];
    const { snapshots } = await filled(app, (event) => events.push(event));
    for (const [seq, mark] of [
      [1, 'old'],
      [2, 'new'],
    ] as const)
      await snapshots.save({ position: snapshotAt(seq), lines: someLines(50, mark) });
    const change = (seq: number, text: string): Promise<string> =>
      kit.postgres.sql(
        `update rosterd.snapshot_chunk set ${text} where app = '${app}' and number = (select number from rosterd.snapshot where app = '${app}' and seq = ${seq})`,
      );
    const size = Number(await kit.postgres.sql(`select max(length(data)) from rosterd.snapshot_chunk where app = '${app}'`));
    for (const at of [0, 9, 40, size >> 1, size - 12, size - 1]) {
      const flip = `data = set_byte(data, ${Math.min(at, size - 20)}, get_byte(data, ${Math.min(at, size - 20)}) # 8)`;
      await change(2, flip);
      events.splice(0);
      const loaded = await snapshots.load();
      assert.deepEqual(loaded?.position, snapshotAt(1), `flipped at ${at}`);
      assert.deepEqual(await allLines(loaded), [...someLines(50, 'old')()]);
      assert.deepEqual(
        events.map(({ type }) => type),
        ['snapshot-damaged'],
      );
      await change(2, flip);
    }
    const newest = await snapshots.load();
    assert.deepEqual(newest?.position, snapshotAt(2));
    events.splice(0);
    assert.deepEqual((await newest?.instead?.('it is odd'))?.position, snapshotAt(1));
    assert.match(
      JSON.stringify(events),
      /^\[{"type":"snapshot-damaged","file":"snapshot \d+ in the table rosterd\.snapshot","reason":"it is odd"}\]$/,
    );
    await change(2, 'data = substr(data, 1, length(data) - 1)');
    await change(1, 'part = part + 1');
    await assert.rejects(
      snapshots.load(),
      (error) => error instanceof SnapshotDamaged && /cannot be unpacked|checksum/.test(error.message),
    );
  },
);

test('PL8 entries go only up to the older of two snapshots, and a new process has all it needs', pgOptions, async () => {
  const app = randomUUID();
  const { log, snapshots } = await filled(app);
  await snapshots.save({ position: snapshotAt(4), lines: someLines(4) });
  await log.snapshotSaved(4);
  assert.equal(log.tail, 0, 'one snapshot is not enough');
  await snapshots.save({ position: snapshotAt(8), lines: someLines(8) });
  await log.snapshotSaved(8);
  assert.equal(log.tail, 4);
  const url = kit.url();
  const store = await openPostgresStore({ url, app, secret: 'secret', requiresSync: false, node: 'a', version: '1' });
  assert.deepEqual(store.loaded?.position, snapshotAt(8));
  assert.deepEqual(
    (await readToHead(store.log, 8)).map(({ id }) => id),
    ['e8', 'e9'],
  );
  assert.equal(await kit.postgres.sql(`select min(last) from rosterd.entry where app = '${app}'`), '5\n', 'the rows are gone');
  await store.close();
});

test('PL8 one save at a time', pgOptions, async () => {
  const { snapshots } = await filled();
  const first = snapshots.save({ position: snapshotAt(1), lines: someLines(3) });
  await assert.rejects(snapshots.save({ position: snapshotAt(2), lines: someLines(3) }), /already/);
  await first;
  assert.deepEqual((await snapshots.load())?.position, snapshotAt(1));
});

test('PL8 a save whose rows another process has cleaned away is no snapshot', pgOptions, async () => {
  const app = randomUUID();
  const { snapshots, proxy } = await filled(app);
  await snapshots.save({ position: snapshotAt(1), lines: someLines(3, 'whole') });
  proxy.once('insert into rosterd.snapshot (', async (exchange) => {
    await kit.postgres.sql(
      `delete from rosterd.snapshot_chunk where app = '${app}' and number = (select last_value from rosterd.snapshot_number)`,
    );
    exchange.answer(await exchange.forward());
  });
  await assert.rejects(snapshots.save({ position: snapshotAt(2), lines: someLines(3) }), /the snapshot is not kept/);
  assert.deepEqual(await allLines(await snapshots.load()), [...someLines(3, 'whole')()]);
});
