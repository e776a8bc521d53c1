/**
 * Works on several batches at a time and settles them in the order in which they were read. So at any moment
 * everything up to the last settled batch is done, and nothing after it counts.
 */
import pLimit from 'p-limit';

export interface InOrder<Batch, Result> {
  readonly batches: AsyncGenerator<Batch>;
  /** Batches that are worked on at the same time. */
  readonly concurrency: number;
  readonly work: (batch: Batch) => Promise<Result>;
  /** Called for one batch after the other. After a batch that is not settled (false), no later batch is settled either. */
  readonly settle: (batch: Batch, result: Result) => Promise<boolean>;
  /** Aborted: nothing more is read, even while the source is silent. Batches under way are waited for. */
  readonly stopping: AbortSignal;
  /** Called for every rejection; it should abort `stopping`. */
  readonly onError: (error: unknown) => void;
}

/** Batches that may wait for a free place beside those under way. */
const READ_AHEAD = 4;
/** Batches that may be done and wait for a slower one before them. Each holds little more than ids. */
const DONE_AHEAD = 256;

/** Wraps a result, which may itself be undefined. */
interface Done<Result> {
  readonly result: Result;
}

/** Resolves when no batch is under way any more; with true when the end of the batches was reached. */
export async function inOrder<Batch, Result>(options: InOrder<Batch, Result>): Promise<boolean> {
  const { batches, concurrency, work, settle, stopping, onError } = options;
  const limit = pLimit(concurrency);
  const working = new Set<Promise<unknown>>();
  let isGap = false;
  let unsettled = 0;
  let last: Promise<void> = Promise.resolve();
  for (;;) {
    const step = await read(batches, stopping).catch(onError);
    if (step === undefined || step.done === true) {
      await last;
      return step?.done === true;
    }
    const batch = step.value;
    const job: Promise<Done<Result> | undefined> = limit(async () => ({ result: await work(batch) }))
      .catch((error: unknown) => {
        onError(error);
        return undefined;
      })
      .finally(() => working.delete(job));
    working.add(job);
    unsettled++;
    last = last
      .then(async () => {
        const done = await job;
        if (isGap || done === undefined || !(await settle(batch, done.result))) isGap = true;
      })
      .catch((error: unknown) => {
        isGap = true;
        onError(error);
      })
      .finally(() => unsettled--);
    if (working.size >= concurrency + READ_AHEAD) await Promise.race(working);
    if (unsettled >= DONE_AHEAD) await last;
  }
}

/** The next step; undefined as soon as the run stops. */
async function read<Batch>(batches: AsyncGenerator<Batch>, stopping: AbortSignal): Promise<IteratorResult<Batch, void> | undefined> {
  if (stopping.aborted) return undefined;
  const next = batches.next();
  return await new Promise((resolve, reject) => {
    const onStop = () => resolve(undefined);
    const done = () => stopping.removeEventListener('abort', onStop);
    stopping.addEventListener('abort', onStop, { once: true });
    next.then(resolve, reject).finally(done);
  });
}
