/**
 * Backups of the running directory. Each is read from a frozen view while the directory keeps changing, as fast as its
 * reader takes it. It releases the view when it ends, when its reader goes away, or when the reader takes nothing for too long.
 */
import { pipeline, Readable, Transform } from 'node:stream';
import { constants, createGzip } from 'node:zlib';
import { RosterError } from '../../../protocol/base/errors.ts';
import { encodeBackup } from '../../../store/backup/codec.ts';
import type { FrozenView } from '../../core/directory/frozen-view.ts';
import type { BackupState, OpenBackup } from '../../edge/http/services.ts';

/** Each backup holds old versions of changed records, and takes its share of the event loop. */
const AT_ONCE = 2;
/** A reader that takes nothing for this time is dropped. */
const STALL_MS = 60_000;

export interface LiveBackupsOptions {
  /** A frozen view of the current directory. */
  readonly freeze: () => FrozenView;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
  /** Default: 60 s. */
  readonly stallMs?: number;
}

export class LiveBackups {
  readonly #options: LiveBackupsOptions;
  #open = 0;
  #last: BackupState['last'];

  constructor(options: LiveBackupsOptions) {
    this.#options = options;
  }

  /** Backups being read. */
  get count(): number {
    return this.#open;
  }

  /** When one was last read to its end, wall clock in milliseconds; undefined before. */
  get lastMs(): number | undefined {
    return this.#last?.endedMs;
  }

  state(): BackupState {
    return { running: this.#open, ...(this.#last === undefined ? undefined : { last: this.#last }) };
  }

  /** Throws RosterError `rate_limit` while two others are running. */
  open(isCompressed: boolean): OpenBackup {
    if (this.#open >= AT_ONCE)
      throw new RosterError('rate_limit', `${AT_ONCE} backups are under way; try again when one of them has ended`);
    const { freeze, nowMs, stallMs = STALL_MS } = this.#options;
    const view = freeze();
    this.#open++;
    const timer = setTimeout(() => stream.destroy(new Error(`nobody read the backup for ${stallMs} ms`)), stallMs);
    const plain = Readable.from(
      watched(encodeBackup(view, new Date(nowMs()).toISOString()), () => timer.refresh()),
      { objectMode: false },
    );
    // Fast and small enough: a higher level takes twice the time for 10% less.
    let bytes = 0;
    const scale = new Transform({
      transform: (chunk: Buffer, _, done) => {
        bytes += chunk.length;
        done(null, chunk);
      },
    });
    const stream = isCompressed
      ? pipeline(plain, createGzip({ level: constants.Z_BEST_SPEED }), scale, () => {})
      : pipeline(plain, scale, () => {});
    stream.once('end', () => {
      this.#last = { endedMs: Date.now(), bytes };
    });
    stream.once('close', () => {
      clearTimeout(timer);
      view.release();
      this.#open--;
    });
    // The sender of the stream notices errors; this handler only keeps them from being uncaught.
    stream.on('error', () => {});
    return { stream, position: view.position };
  }
}

async function* watched(chunks: AsyncIterable<Buffer>, onTaken: () => void): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of chunks) {
    onTaken();
    yield chunk;
  }
}
