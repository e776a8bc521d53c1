/** SN3: when a snapshot is saved, and what the log hears of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Snapshotter } from '../../../daemon/pipeline/write/snapshotter.ts';
import type { Leases } from '../../../store/leases.ts';
import type { Rest } from '../../../store/snapshot.ts';
import { quickest } from '../../support/eventually.ts';

interface Bench {
  readonly snapshotter: Snapshotter;
  readonly steps: string[];
  readonly directory: { seq: number; size: number };
  /** Waits as the saver of the last snapshot does between its slices. */
  rest(): Promise<void>;
  /** Ends the snapshot that is being saved. */
  end(error?: Error): Promise<void>;
  /** Applies this many facts, one at a time. */
  apply(facts: number): void;
}

interface BenchOptions {
  readonly size?: number;
  readonly savedSeq?: number;
  readonly leases?: Leases | undefined;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function bench(everyFacts: number, { size = 0, savedSeq = 0, leases }: BenchOptions = {}): Bench {
  const steps: string[] = [];
  const directory = { seq: savedSeq, size };
  let settleSave: (error?: Error) => void = () => assert.fail('nothing is being saved');
  let rest: Rest = () => assert.fail('nothing was saved');
  let nowMs = 100;
  const snapshotter = new Snapshotter(
    {
      directory: {
        freeze: () => {
          const position = { epoch: 'e', seq: directory.seq };
          return { position, release: () => steps.push('released') };
        },
        get seq() {
          return directory.seq;
        },
        get size() {
          return directory.size;
        },
      } as never,
      leases,
      store: {
        save: ({ position }: { position: { seq: number } }, given: Rest) => {
          rest = given;
          steps.push(`save ${position.seq}`);
          return new Promise((resolve, reject) => {
            settleSave = (error) => (error === undefined ? resolve({ bytes: 7 }) : reject(error));
          });
        },
      } as never,
      log: { snapshotSaved: async (seq: number) => void steps.push(`trim to ${seq}`) } as never,
      everyFacts,
      onSaved: ({ seq, bytes, ms }) => steps.push(`saved ${seq}, ${bytes} bytes, ${ms} ms`),
      onError: (error) => steps.push(String(error)),
      nowMs: () => {
        nowMs += 5;
        return nowMs;
      },
    },
    savedSeq,
  );
  const end = async (error?: Error): Promise<void> => {
    settleSave(error);
    await settle();
  };
  const apply = (facts: number): void => {
    for (let fact = 0; fact < facts; fact++) {
      directory.seq++;
      snapshotter.applied();
    }
  };
  return { snapshotter, steps, directory, rest: () => rest(), end, apply };
}

test('SN3 a snapshot is saved after so many facts, the log may then trim, and one is saved at a time', async () => {
  const { steps, apply, end } = bench(10, { savedSeq: 100 });
  apply(9);
  assert.deepEqual(steps, []);
  apply(1);
  assert.deepEqual(steps, ['save 110']);
  apply(25);
  assert.deepEqual(steps, ['save 110'], 'what comes meanwhile waits for the next one');
  await end();
  assert.deepEqual(steps.splice(0), ['save 110', 'trim to 110', 'saved 110, 7 bytes, 5 ms', 'released']);
  apply(1);
  assert.deepEqual(steps, ['save 136']);
});

test('SN3 ND11 of several nodes, the one that takes the job saves; the others count on it, and try again after as many facts', async () => {
  let isMine = false;
  const leases = { take: async (job: string) => job === 'snapshots' && isMine } as unknown as Leases;
  const { steps, apply, end } = bench(10, { leases });
  apply(10);
  await settle();
  assert.deepEqual(steps.splice(0), ['released']);
  isMine = true;
  apply(9);
  await settle();
  assert.deepEqual(steps, []);
  apply(1);
  await settle();
  await end();
  assert.deepEqual(steps, ['save 20', 'trim to 20', 'saved 20, 7 bytes, 5 ms', 'released']);
});

test('SN3 never after fewer facts than half of the users', () => {
  const { steps, apply } = bench(10, { size: 30 });
  apply(14);
  assert.deepEqual(steps, []);
  apply(1);
  assert.deepEqual(steps, ['save 15']);
});

test('SN3 a snapshot that fails trims nothing, and the next one follows after half as many facts', async () => {
  const { steps, apply, end } = bench(10);
  apply(10);
  await end(new Error('ENOSPC'));
  assert.deepEqual(steps.splice(0), ['save 10', 'released', 'Error: ENOSPC']);
  apply(4);
  assert.deepEqual(steps, []);
  apply(1);
  assert.deepEqual(steps, ['save 15']);
});

test('SN3 at a stop, a snapshot is saved unless the newest one is current', async () => {
  const { snapshotter, steps, apply, end } = bench(10, { savedSeq: 5 });
  await snapshotter.finish();
  assert.equal(steps.length, 0);
  apply(10);
  apply(2);
  const finished = snapshotter.finish();
  await end();
  assert.equal(steps.at(-1), 'save 17', 'first the one that is being saved, then the last one');
  await end();
  await finished;
  assert.equal(steps.filter((step) => step === 'released').length, 2);
  await snapshotter.finish();
  assert.equal(steps.filter((step) => step.startsWith('save ')).length, 2);
});

test('SN3 the saver leaves time to others, unless the daemon stops, which hurries the one that is being saved, too', async () => {
  const { snapshotter, apply, rest, end } = bench(10);
  apply(10);
  const startedMs = performance.now();
  for (let turn = 0; turn < 5; turn++) await rest();
  assert.ok(performance.now() - startedMs >= 5 * 3, 'about twice as long as a slice');
  apply(1);
  const finished = snapshotter.finish();
  assert.ok((await quickest(rest, 20)) < 2);
  await end();
  assert.ok((await quickest(rest, 20)) < 2);
  await end();
  await finished;
});

test('SN3 a failure is retried from the last snapshot on, never from before it, and the stop does not repeat it', async () => {
  const odd = bench(5, { savedSeq: 100 });
  odd.apply(5);
  await odd.end(new Error('ENOSPC'));
  odd.steps.length = 0;
  odd.apply(1);
  assert.deepEqual(odd.steps, [], 'half of five is three, rounded up, so two are left');
  odd.apply(1);
  assert.deepEqual(odd.steps, ['save 107']);
  const stopped = bench(10, { savedSeq: 99 });
  stopped.apply(10);
  const finished = assert.rejects(stopped.snapshotter.finish(), /EIO/, 'the last one is told to whoever stops');
  await stopped.end(new Error('ENOSPC'));
  assert.deepEqual(stopped.steps.splice(0), ['save 109', 'released', 'Error: ENOSPC', 'save 109']);
  await stopped.end(new Error('EIO'));
  await finished;
});

test('SN3 ND11 a stop gives the job back, whether the last snapshot succeeds or not, and whether that can be said or not', async () => {
  const released: string[] = [];
  const take = async () => true;
  const release = async (job: string) => {
    released.push(job);
    throw new Error('away');
  };
  const { snapshotter, apply, end } = bench(10, { leases: { take, release } as unknown as Leases });
  await snapshotter.finish();
  assert.deepEqual(released, ['snapshots']);
  apply(1);
  const failing = assert.rejects(snapshotter.finish(), /EIO/);
  await settle();
  await end(new Error('EIO'));
  await failing;
  assert.deepEqual(released, ['snapshots', 'snapshots']);
});
