/**
 * The checkpoint of a run as a file: a lowdb database whose adapter syncs the new file and then replaces the old one with it.
 * lowdb's own adapters never sync, so a power failure could leave less than the run had claimed.
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Adapter, Low } from 'lowdb';
import { CHECKPOINT_VERSION, type Checkpoint, type CheckpointStore, isCheckpoint } from '../../sync/apply/checkpoint.ts';
import { NO_RESULTS } from '../../sync/counts.ts';

/** `foreign`: a file that is no checkpoint, which is never overwritten. */
type Stored = Checkpoint | 'foreign' | null;

type Fixed = Pick<Checkpoint, 'plan' | 'plan_path' | 'is_plan_temporary'> & { readonly reportPath: string; readonly now: () => number };

export class CheckpointFile implements CheckpointStore {
  readonly #db: Low<Stored>;
  readonly #fixed: Fixed;

  constructor(path: string, fixed: Fixed) {
    this.#db = new Low<Stored>(new DurableJson(path), null);
    this.#fixed = fixed;
  }

  async write({ at, counts, finished }: Pick<Checkpoint, 'at' | 'counts' | 'finished'>, reportBytes: number): Promise<void> {
    const { plan, plan_path, is_plan_temporary, reportPath, now } = this.#fixed;
    this.#db.data = {
      rosterd_checkpoint: CHECKPOINT_VERSION,
      plan,
      plan_path,
      is_plan_temporary,
      at,
      counts,
      report: { path: reportPath, bytes: reportBytes },
      updated_at: new Date(now()).toISOString(),
      finished,
    };
    await this.#db.write();
  }
}

/** Reads `path`: no file, a checkpoint, or a foreign file. Rejects with the system's error. */
export async function readCheckpoint(path: string): Promise<Checkpoint | 'none' | 'foreign'> {
  const db = new Low<Stored>(new DurableJson(path), null);
  await db.read();
  return db.data ?? 'none';
}

class DurableJson implements Adapter<Stored> {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async read(): Promise<Stored> {
    const text = await readFile(this.#path, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return null;
    try {
      const value: unknown = JSON.parse(text);
      return isCheckpoint(value) ? { ...value, counts: { ...NO_RESULTS, ...value.counts } } : 'foreign';
    } catch {
      return 'foreign';
    }
  }

  async write(data: Stored): Promise<void> {
    const part = `${this.#path}.${process.pid}.part`;
    const file = await open(part, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(data, undefined, 2)}\n`);
      await file.datasync();
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    await rename(part, this.#path);
    const directory = await open(dirname(this.#path), 'r');
    await directory.sync().finally(() => directory.close());
  }
}
