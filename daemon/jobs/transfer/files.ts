/**
 * Files beside the directory: finished exports, uploads for imports and sync plans, and plan files, wherever the storage keeps them.
 *
 *   exports/<task>.jsonl        one export each
 *   uploads/<id>~<file name>    one upload each
 *   plans/<plan>.ndjson         one sync plan each
 *
 * The daemon makes every name and checks it against a pattern without slashes and leading dots before it reaches the storage.
 *
 * It keeps FI1–FI8 (daemon/RULES.md).
 */

import type { Readable } from 'node:stream';
import { OutcomeUnknown, RosterError } from '../../../protocol/base/errors.ts';
import { EXPORT_FILE } from '../../../protocol/transfer/exports.ts';
import { isUploadPath } from '../../../protocol/transfer/imports.ts';
import { BlobConflict, type Blobs, BlobsUnavailable, type StoredBlob } from '../../../store/blobs.ts';
import type { Fence } from '../../../store/leases.ts';
import type { Ages } from '../tasks/housekeeping.ts';

const SILENCE_MS = 60_000;
const TASK_ID = /^[\w-]{1,64}$/;

export interface FilesOptions {
  /** An upload without new bytes for this time is aborted. */
  readonly silenceMs?: number;
}

export class Files {
  readonly #blobs: Blobs;
  readonly #silenceMs: number;

  constructor(blobs: Blobs, { silenceMs = SILENCE_MS }: FilesOptions = {}) {
    this.#blobs = blobs;
    this.#silenceMs = silenceMs;
  }

  /**
   * Stores an upload. Each path is written once, so an import can rely on the file that it has read.
   * Rejects with RosterError: `conflict` when the path exists, `too_big`, `timeout` when no more bytes come,
   * `input` when the source broke off, `unavailable` when the disk is full or the storage away.
   */
  async saveUpload(path: string, source: Readable, bytesMax: number): Promise<{ readonly bytes: number }> {
    const name = uploadName(path);
    try {
      return { bytes: await this.#blobs.put('uploads', name, received(source, this.#silenceMs, bytesMax)) };
    } catch (error) {
      // Discards the rest of the upload, so that the caller gets the answer.
      source.resume();
      throw explained(error);
    }
  }

  /** Rejects with RosterError `unavailable` when the storage is away. */
  async hasUpload(path: string): Promise<boolean> {
    return isUploadPath(path) && (await forCaller(this.#blobs.has('uploads', uploadName(path))));
  }

  /** The upload to read; undefined when it does not exist (any more). Rejects as `Blobs.open`. */
  async openUpload(path: string): Promise<StoredBlob | undefined> {
    return isUploadPath(path) ? await this.#blobs.open('uploads', uploadName(path)) : undefined;
  }

  /** Stores the lines, each with a line end, as the export of this task. Replaces an existing one. Rejects as `Blobs.put`. */
  async writeExport(taskId: string, lines: AsyncIterable<string> | Iterable<string>, fence?: Fence): Promise<void> {
    await this.#blobs.put('exports', exportName(taskId), ended(lines), { replaces: true, fence });
  }

  /** Rejects with RosterError `unavailable` when the storage is away. */
  async openExport(taskId: string, name: string): Promise<StoredBlob | undefined> {
    return name === EXPORT_FILE && TASK_ID.test(taskId) ? await forCaller(this.#blobs.open('exports', exportName(taskId))) : undefined;
  }

  /** Stores the file of a sync plan, and replaces an earlier one. Rejects as `Blobs.put`. */
  async writePlan(id: string, chunks: AsyncIterable<Uint8Array>, fence?: Fence): Promise<void> {
    await this.#blobs.put('plans', planName(id), chunks, { replaces: true, fence });
  }

  /** Undefined when there is none. Rejects as `Blobs.open`. */
  async openPlan(id: string): Promise<StoredBlob | undefined> {
    return await this.#blobs.open('plans', planName(id));
  }

  /** Removes old files. Resolves with their number. Rejects as `Blobs.removeOld`. */
  async removeOld({ exportsBeforeMs, uploadsBeforeMs, neededUploads, plansBeforeMs, neededPlans }: Ages, fence?: Fence): Promise<number> {
    const needed = new Set([...neededUploads].map(uploadName));
    const plans = await this.#blobs.removeOld('plans', plansBeforeMs, new Set([...neededPlans].map(planName)), fence);
    const exports = await this.#blobs.removeOld('exports', exportsBeforeMs, new Set(), fence);
    return exports + plans + (await this.#blobs.removeOld('uploads', uploadsBeforeMs, needed, fence));
  }
}

function uploadName(path: string): string {
  if (!isUploadPath(path)) throw new RosterError('not_found', 'there is no such upload');
  return path.replace('/', '~');
}

function exportName(taskId: string): string {
  if (!TASK_ID.test(taskId)) throw new Error(`"${taskId}" is not the id of a task`);
  return `${taskId}.jsonl`;
}

function planName(id: string): string {
  if (!TASK_ID.test(id)) throw new Error(`"${id}" is not the id of a plan`);
  return `${id}.ndjson`;
}

async function* ended(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<Buffer> {
  for await (const line of lines) yield Buffer.from(`${line}\n`);
}

/** The chunks of the source, up to `bytesMax`. */
async function* received(source: Readable, silenceMs: number, bytesMax: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of withoutSilence(source, silenceMs)) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new RosterError('too_big', `the file is bigger than ${bytesMax} bytes`);
    yield chunk;
  }
}

/** The chunks of the source. Rejects when none came for too long, and destroys the source, because its sender is gone. */
async function* withoutSilence(source: Readable, silenceMs: number): AsyncGenerator<Buffer> {
  // Returning early must not destroy the source: it may be a request that still needs an answer.
  const chunks = source.iterator({ destroyOnReturn: false });
  const late = (): void => void source.destroy(new RosterError('timeout', `nothing arrived for ${silenceMs} ms`));
  let timer = setTimeout(late, silenceMs);
  try {
    for await (const chunk of chunks) {
      // While it is stored, nobody waits for the source.
      clearTimeout(timer);
      yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      timer = setTimeout(late, silenceMs);
    }
  } finally {
    clearTimeout(timer);
  }
}

async function forCaller<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw explained(error);
  }
}

/** The error that a caller may see; others are returned unchanged, for the log. */
function explained(error: unknown): unknown {
  if (error instanceof BlobsUnavailable) return new OutcomeUnknown(error.message);
  if (error instanceof BlobConflict)
    return new RosterError(
      'conflict',
      error.isArriving
        ? 'this file is being uploaded at the moment'
        : 'this file was uploaded already; ask for another URL to upload another one',
    );
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new RosterError('unavailable', 'there is no space left to store the file');
    case 'ECONNRESET':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return new RosterError('input', 'the file broke off before its end');
    default:
      return error;
  }
}
