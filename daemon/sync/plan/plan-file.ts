/**
 * Plan files: written as a stream, and read only after a checksum has confirmed the whole file.
 *
 * While it is being written, a file has another name and is closed to other users, since it holds personal data. It gets its
 * own name when it is complete and on disk. So an interrupted plan, or one that a brake refused, never exists under that name.
 */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { isObject } from '../../../protocol/base/json.ts';
import type { TakenOutSummary } from '../counts.ts';
import { LineSplitter, type RawLine } from '../line-reader.ts';
import {
  COUNT_NAMES,
  countOf,
  isPlanHeader,
  isPlanLine,
  isPlanTrailer,
  NO_COUNTS,
  PLAN_VERSION,
  type PlanCounts,
  type PlanHeader,
  type PlanLine,
  type PlanTotals,
  type PlanTrailer,
} from './plan-lines.ts';

/** Longest line of a plan: a user of the longest source line, and the values that it replaces. */
export const PLAN_LINE_BYTES_MAX = 1024 * 1024;
const WRITE_BYTES = 256 * 1024;
const READ_BYTES = 256 * 1024;

/** The file is no plan, is incomplete, or differs from what was written. The message names the file and the reason. */
export class PlanFileError extends Error {
  constructor(path: string, reason: string) {
    super(`${path} cannot be used as a plan: ${reason}`);
    this.name = 'PlanFileError';
  }
}

export class PlanWriter {
  readonly path: string;
  readonly #partPath: string;
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  readonly #counts: PlanTotals = { ...NO_COUNTS };
  #waiting: string[] = [];
  #waitingChars = 0;

  private constructor(path: string, partPath: string, file: FileHandle) {
    this.path = path;
    this.#partPath = partPath;
    this.#file = file;
  }

  /** Writes the header. Rejects with the system's error when the file cannot be created. */
  static async create(path: string, header: PlanHeader): Promise<PlanWriter> {
    const partPath = `${path}.${process.pid}.part`;
    const writer = new PlanWriter(path, partPath, await open(partPath, 'w', 0o600));
    await writer.#add(header);
    return writer;
  }

  /** Adds lines in the given order. Rejects with the system's error. */
  async add(lines: readonly PlanLine[]): Promise<void> {
    for (const line of lines) {
      this.#counts[countOf(line)]++;
      await this.#add(line);
    }
  }

  /** Completes the file and gives it its name. Takes only what the lines do not show. */
  async finish(counts: Pick<PlanCounts, 'rows' | 'unchanged' | 'missing'>, takenOut?: TakenOutSummary): Promise<PlanTrailer> {
    await this.#flush();
    const out = takenOut === undefined || takenOut.count === 0 ? {} : { taken_out: takenOut };
    const trailer: PlanTrailer = { end: true, counts: { ...this.#counts, ...counts }, ...out, sha256: this.#hash.digest('hex') };
    await this.#file.appendFile(`${JSON.stringify(trailer)}\n`);
    await this.#file.sync();
    await this.#file.close();
    await rename(this.#partPath, this.path);
    return trailer;
  }

  /** Removes the unfinished file. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.#partPath, { force: true });
  }

  async #add(value: PlanHeader | PlanLine): Promise<void> {
    const text = `${JSON.stringify(value)}\n`;
    this.#waiting.push(text);
    this.#waitingChars += text.length;
    if (this.#waitingChars >= WRITE_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#waiting.join(''));
    this.#waiting = [];
    this.#waitingChars = 0;
    this.#hash.update(bytes);
    await this.#file.appendFile(bytes);
  }
}

/** A line with its number in the plan file, from 1; the header is line 1. */
export interface NumberedPlanLine {
  readonly at: number;
  readonly line: PlanLine;
}

/** A plan whose every byte was verified. Close it when done. */
export class PlanFile {
  readonly path: string;
  readonly header: PlanHeader;
  /** `trailer.sha256` identifies the plan: equal plans have equal sums, different plans have different ones. */
  readonly trailer: PlanTrailer;
  readonly #file: FileHandle;
  readonly #stamp: string;

  private constructor(path: string, file: FileHandle, stamp: string, ends: { readonly header: PlanHeader; readonly trailer: PlanTrailer }) {
    this.path = path;
    this.#file = file;
    this.#stamp = stamp;
    this.header = ends.header;
    this.trailer = ends.trailer;
  }

  /** Reads the file once from beginning to end. Rejects with PlanFileError, or with the system's error. */
  static async open(path: string): Promise<PlanFile> {
    const file = await open(path, 'r');
    try {
      const stamp = await stampOf(file);
      const ends = await verify(path, file);
      if ((await stampOf(file)) !== stamp) throw new PlanFileError(path, 'it is being written to');
      return new PlanFile(path, file, stamp, ends);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** All lines except header and trailer; lines read together are yielded together. Rejects with PlanFileError when the file changed. */
  async *lines(): AsyncGenerator<readonly NumberedPlanLine[]> {
    for await (const raws of rawLines(this.#file)) {
      if ((await stampOf(this.#file)) !== this.#stamp) throw new PlanFileError(this.path, 'it was changed while it was read');
      const found: NumberedPlanLine[] = [];
      for (const raw of raws) {
        const line = parse(raw);
        if (isPlanLine(line)) found.push({ at: raw.line, line });
      }
      yield found;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** True when a file that begins so is a plan of any version: distinguishes plans from sources. */
export function looksLikePlan(start: string): boolean {
  return /^\s*\{\s*"rosterd_plan"\s*:/.test(start);
}

async function verify(path: string, file: FileHandle): Promise<{ header: PlanHeader; trailer: PlanTrailer }> {
  const hash = createHash('sha256');
  const counts: PlanTotals = { ...NO_COUNTS };
  let header: PlanHeader | undefined;
  let trailer: PlanTrailer | undefined;
  for await (const raws of rawLines(file)) {
    for (const raw of raws) {
      if (trailer !== undefined) throw new PlanFileError(path, `something follows its end, on line ${raw.line}`);
      const value = parse(raw);
      if (header === undefined) header = headerOf(path, value);
      else if (isPlanTrailer(value)) trailer = { ...value, counts: { ...NO_COUNTS, ...value.counts } };
      else if (isPlanLine(value)) counts[countOf(value)]++;
      else throw new PlanFileError(path, `line ${raw.line} is no line of a plan`);
      if (trailer === undefined) hash.update(raw.content ?? '').update('\n');
    }
  }
  if (header === undefined) throw new PlanFileError(path, 'it is empty');
  if (trailer === undefined) throw new PlanFileError(path, 'it has no end; whatever wrote it broke off');
  if (hash.digest('hex') !== trailer.sha256) throw new PlanFileError(path, 'it was changed after it was written (its checksum differs)');
  const { rows, unchanged, missing } = trailer.counts;
  const expected: PlanCounts = { ...counts, rows, unchanged, missing };
  const wrong = COUNT_NAMES.find((name) => expected[name] !== trailer?.counts[name]);
  if (wrong !== undefined)
    throw new PlanFileError(path, `its end counts ${trailer.counts[wrong]} × ${wrong}, but it holds ${counts[wrong]}`);
  return { header, trailer };
}

function headerOf(path: string, value: unknown): PlanHeader {
  if (isPlanHeader(value)) return value;
  const version = isObject(value) ? value.rosterd_plan : undefined;
  if (version === undefined || version === PLAN_VERSION) throw new PlanFileError(path, 'it does not begin like one');
  throw new PlanFileError(path, `it has version ${JSON.stringify(version)} of the format, this program knows ${PLAN_VERSION}`);
}

function parse({ content }: RawLine): unknown {
  try {
    // What is too long is no JSON.
    return JSON.parse(String(content));
  } catch {
    return undefined;
  }
}

async function* rawLines(file: FileHandle): AsyncGenerator<readonly RawLine[]> {
  const splitter = new LineSplitter(PLAN_LINE_BYTES_MAX);
  let at = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    yield splitter.push(buffer.subarray(0, bytesRead));
  }
  yield splitter.end();
}

async function stampOf(file: FileHandle): Promise<string> {
  const { size, mtimeMs, ino } = await file.stat();
  return `${ino} ${size} ${mtimeMs}`;
}
