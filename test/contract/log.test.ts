/** The `Log` contract on memory and on the journal. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Journal } from '../../store/journal/journal.ts';
import type { JournalOptions } from '../../store/journal/options.ts';
import { type Log, LogUnavailable } from '../../store/log.ts';
import { MemoryLog } from '../../store/memory-log.ts';
import { draft, readToHead } from '../support/store/entries.ts';
import { type LogAdapter, logContract } from '../support/store/log-contract.ts';
import { Random } from '../support/store/random.ts';
import { SimDisk } from '../support/store/sim-disk.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

const disks = new WeakMap<Log, SimDisk>();
const retention = { bytes: 0 };

const memory: LogAdapter = {
  name: 'memory',
  open: async () => new MemoryLog(),
  openHolding: async () => new MemoryLog({ heldFacts: 40 }),
  fail(log, outcome) {
    assert(log instanceof MemoryLog, 'of this adapter');
    log.failNext({ type: outcome === 'unknown' ? 'unknown-lost' : 'not-written' });
  },
  hold(log) {
    assert(log instanceof MemoryLog, 'of this adapter');
    return log.hold();
  },
};

const HELD_BYTES = 11_000;

async function openSimulated(more: Pick<JournalOptions, 'heldBytes'> = {}): Promise<Log> {
  const disk = new SimDisk(new Random(1));
  const sizes = { segmentBytes: 2_000, recentBytes: 0, blockBytes: 700, cacheBytes: 2_000 };
  const log = await Journal.open({ directory: '/j', fileSystem: disk, ...sizes, retention, ...more });
  disks.set(log, disk);
  return log;
}

const simulated: LogAdapter = {
  name: 'journal on a simulated disk, read from files',
  open: () => openSimulated(),
  openHolding: () => openSimulated({ heldBytes: HELD_BYTES }),
  fail(log, outcome) {
    const disk = disks.get(log);
    assert(disk, 'of this adapter');
    const failing = outcome === 'unknown' ? 'group-sync' : 'group-write';
    disk.plan = (point) => {
      if (point !== failing) return undefined;
      disk.plan = () => undefined;
      return { type: 'error', code: outcome === 'unknown' ? 'EIO' : 'ENOSPC' };
    };
  },
  hold: () => () => {},
};

const real: LogAdapter = {
  ...simulated,
  name: 'journal on the real disk',
  hasNoFaults: true,
  async open() {
    return Journal.open({ directory: await temporaryDirectory(), segmentBytes: 2_000, blockBytes: 700, retention });
  },
  async openHolding() {
    const directory = await temporaryDirectory();
    return Journal.open({ directory, segmentBytes: 2_000, blockBytes: 700, retention, heldBytes: HELD_BYTES });
  },
};

for (const adapter of [memory, simulated, real]) describe(adapter.name, () => logContract(adapter));

test('LG5 the reference log can lose or keep an entry whose append is unknown, and let a rival come first', async () => {
  const log = new MemoryLog({ start: 10 });
  log.failNext({ type: 'unknown-stored' });
  log.failNext({ type: 'conflict', rival: draft('rival', { facts: 2 }) });
  await assert.rejects(log.append(10, draft('a')), LogUnavailable);
  assert.equal(log.head.seq, 11);
  assert.deepEqual(await log.append(11, draft('b')), { status: 'conflict', head: 13 });
  assert.deepEqual(
    (await readToHead(log)).map(({ id }) => id),
    ['a', 'rival'],
  );
});
