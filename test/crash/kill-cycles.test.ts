/**
 * LG9 with a real process, a real disk and SIGKILL. A child appends with four appends in flight, rotates, saves snapshots and
 * trims, and is killed at a random moment; the directory is reopened as production does, and every acknowledged entry that no
 * snapshot covers must be there, contiguous and in order. Then the next child goes on in the same directory.
 *
 * `npm run test:crash -- --cycles 1000` for more cycles; ROSTERD_SEED repeats the same moments, as far as time can be repeated.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { lastSeq } from '../../protocol/log/entry.ts';
import { openDataDirectory } from '../../store/data-dir.ts';
import type { StoreEvent } from '../../store/events.ts';
import { sized } from '../support/long.ts';
import { testOption } from '../support/random.ts';
import { nodeOptions, programFile } from '../support/run/program.ts';
import { readToHead } from '../support/store/entries.ts';
import { Random } from '../support/store/random.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

const journal = { segmentBytes: 64 * 1024, retention: { bytes: 128 * 1024 } };
/** The child is killed after it has reported between none and this many lines, so that no moment depends on the clock alone. */
const LINES_MAX = 600;

interface Report {
  readonly tried: Map<string, number>;
  readonly acknowledged: Map<number, string>;
  readonly snapshotSeq: number;
}

/** Runs one child until it has reported `lines` lines, kills it, and returns everything it reported until its end. */
async function runChild(directory: string, seed: number, cycle: number, lines: number): Promise<Report> {
  const child = spawn(
    process.execPath,
    [...nodeOptions(), programFile('test/support/store/writer.ts'), directory, String(seed), String(cycle)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const exited = once(child, 'exit');
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const report = { tried: new Map<string, number>(), acknowledged: new Map<number, string>(), snapshotSeq: 0 };
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.endsWith(' .')) continue;
    const [what, seq, id = ''] = line.split(' ');
    if (what === 'try') report.tried.set(id, Number(seq));
    else if (what === 'ack') report.acknowledged.set(Number(seq), id);
    else if (what === 'snapshot') report.snapshotSeq = Number(seq);
    if (count++ === lines) child.kill('SIGKILL');
  }
  const [code, signal] = await exited;
  assert.equal(signal, 'SIGKILL', `the writer ended by itself with ${code}: ${complaint}`);
  return report;
}

class Ledger {
  readonly tried = new Map<string, number>();
  readonly acknowledged = new Map<number, string>();
  snapshotSeq = 0;
  epoch: string | undefined;
  checked = 0;
  readonly events: StoreEvent[] = [];

  add(report: Report): void {
    for (const [id, first] of report.tried) this.tried.set(id, first);
    for (const [first, id] of report.acknowledged) this.acknowledged.set(first, id);
    this.snapshotSeq = Math.max(this.snapshotSeq, report.snapshotSeq);
  }

  /** Opens the directory and compares. */
  async check(directory: string): Promise<void> {
    const data = await openDataDirectory(directory, { journal, onEvent: (event) => this.events.push(event) });
    const { log, loaded } = data;
    const covered = loaded?.position.seq ?? 0;
    assert.ok(covered >= this.snapshotSeq, `LG11: the snapshot at ${this.snapshotSeq} is gone, ${covered} was loaded`);
    let lines = 0;
    for await (const chunk of loaded?.chunks() ?? []) lines += chunk.length;
    assert.equal(lines, loaded === undefined ? 0 : 50, 'LG11: lines of the snapshot');
    this.epoch ??= log.head.epoch;
    assert.equal(log.head.epoch, this.epoch, 'LG8');
    assert.ok(log.tail <= covered, 'LG11: trimmed more than the snapshot covers');

    let at = log.tail;
    const found = new Map<number, string>();
    for (const entry of await readToHead(log)) {
      assert.equal(entry.first, at + 1, 'LG3: a hole');
      at = lastSeq(entry);
      assert.equal(this.tried.get(entry.id), entry.first, `LG9: ${entry.id} is not where it was appended`);
      assert.equal(entry.facts.length, Number(entry.id.split('/')[1]), 'LG1');
      found.set(entry.first, entry.id);
    }
    assert.equal(at, log.head.seq);
    for (const [first, id] of this.acknowledged) {
      if (first > log.tail) assert.equal(found.get(first), id, `LG9: the acknowledged entry at ${first} is gone`);
      else this.acknowledged.delete(first);
      this.checked++;
    }
    await data.close();
  }
}

test('LG9 killed at random moments, every acknowledged entry is there after reopening', async (t) => {
  const seed = Number(process.env.ROSTERD_SEED ?? 99);
  const random = new Random(seed);
  const directory = await temporaryDirectory();
  const ledger = new Ledger();
  let acknowledged = 0;
  const total = testOption('cycles', sized(12, 100));
  for (let cycle = 0; cycle < total; cycle++) {
    try {
      const report = await runChild(directory, seed * 10_000 + cycle, cycle, random.below(LINES_MAX));
      acknowledged += report.acknowledged.size;
      ledger.add(report);
      // Every other time the next child itself finds what the killed one has left.
      if (random.chance(0.5) || cycle === total - 1) await ledger.check(directory);
    } catch (error) {
      throw new Error(`cycle ${cycle} with seed ${seed} fails`, { cause: error });
    }
  }
  const count = (type: StoreEvent['type']): number => ledger.events.filter((event) => event.type === type).length;
  t.diagnostic(
    `${total} kills, ${acknowledged} entries acknowledged, ${ledger.checked} checks of them; ${count('torn-tail-dropped')} torn tails dropped`,
  );
  assert.ok(acknowledged > total * 10, 'the writers hardly wrote');
});
