/** Finds out whether a disk takes what is written to it: by writing, since free blocks, quotas and reserves say it in different ways. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { diskReason } from './disk-errors.ts';
import { type FileSystem, removeIfThere, TEMPORARY_SUFFIX, writeFully } from './file-system.ts';

/** More than the largest user takes. */
const PROBE_BYTES = 64 * 1024;
/** A look is good for so long, however often it is asked for. */
const GOOD_FOR_MS = 1_000;

export class SpaceProbe {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #nowMs: () => number;
  #look: Promise<string | undefined> | undefined;
  /** Infinity while it looks. */
  #lookedMs = Number.NEGATIVE_INFINITY;

  /** `directory`: one whose temporary files the next start removes. `nowMs`: a clock that nobody sets. */
  constructor(fs: FileSystem, directory: string, nowMs: () => number = () => performance.now()) {
    this.#fs = fs;
    this.#path = join(directory, `probe${TEMPORARY_SUFFIX}`);
    this.#nowMs = nowMs;
  }

  /** Why the disk took nothing a second ago at most, in words that name no file; undefined when it did. Never rejects. */
  async refusal(): Promise<string | undefined> {
    if (this.#look === undefined || this.#nowMs() - this.#lookedMs >= GOOD_FOR_MS) {
      this.#lookedMs = Number.POSITIVE_INFINITY;
      this.#look = this.#write().finally(() => {
        this.#lookedMs = this.#nowMs();
      });
    }
    return await this.#look;
  }

  async #write(): Promise<string | undefined> {
    try {
      const file = await this.#fs.create('probe-create', this.#path);
      try {
        // Random, so that no file system makes it smaller.
        await writeFully(file, 'probe-write', randomBytes(PROBE_BYTES), PROBE_BYTES, 0);
      } finally {
        await file.close();
      }
      return undefined;
    } catch (error) {
      return diskReason(error);
    } finally {
      await removeIfThere(this.#fs, 'probe-remove', this.#path);
    }
  }
}
