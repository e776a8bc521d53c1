/**
 * The child process of test/crash/kill-cycles.test.ts: opens a data directory as production does and appends until it is killed,
 * reporting on stdout. Each line ends with a dot, so that a report that the kill has cut off is not taken for a whole one.
 *
 *   opened <head>          the directory is open
 *   try <first> <id>       an append is about to be made
 *   ack <first> <id>       it was acknowledged
 *   snapshot <seq>         a snapshot was saved and the log told of it
 *
 * Arguments: directory, seed, cycle.
 */
import { writeSync } from 'node:fs';
import { argv } from 'node:process';
import { openDataDirectory } from '../../../store/data-dir.ts';
import { hasCode } from '../../../store/disk-errors.ts';
import { draft } from './entries.ts';
import { Random } from './random.ts';

const [, , directory = '', seed = '1', cycle = '0'] = argv;
const random = new Random(Number(seed));
const journal = { segmentBytes: 64 * 1024, retention: { bytes: 128 * 1024 } };

/** Waits, spinning, while the pipe is full: a report must be out before the next step is taken. */
function report(line: string): void {
  const bytes = Buffer.from(`${line} .\n`);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      if (!hasCode(error, 'EAGAIN')) throw error;
    }
  }
}

const { log, snapshots } = await openDataDirectory(directory, { journal });
report(`opened ${log.head.seq}`);

let promised = log.head.seq;
let count = 0;

async function appendForEver(): Promise<never> {
  for (;;) {
    const facts = 1 + random.below(5);
    const one = draft(`${cycle}.${count++}/${facts}`, { facts, bytes: random.below(1_500) });
    const after = promised;
    promised += facts;
    report(`try ${after + 1} ${one.id}`);
    const result = await log.append(after, one);
    if (result.status !== 'appended') throw new Error(`conflict at ${after}`);
    report(`ack ${result.entry.first} ${one.id}`);
  }
}

async function snapshotForEver(): Promise<never> {
  for (;;) {
    const position = log.head;
    await snapshots.save({ position, lines: () => Array.from({ length: 50 }, (_, line) => ({ line, seq: position.seq })) });
    await log.snapshotSaved(position.seq);
    report(`snapshot ${position.seq}`);
  }
}

await Promise.all([...Array.from({ length: 4 }, appendForEver), snapshotForEver()]);
