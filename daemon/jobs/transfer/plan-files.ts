/**
 * Looks into the files of sync plans for requests: the first rows of an upload, and pages of a plan. A page is read from the beginning of its
 * file, in chunks between which others have their turn, and only a few are read at the same time.
 *
 * It keeps PA2 and PA8 (daemon/RULES.md).
 */
import type { Readable } from 'node:stream';
import pLimit from 'p-limit';
import { RosterError } from '../../../protocol/base/errors.ts';
import { InexactNumber } from '../../../protocol/base/exact-numbers.ts';
import type { Json, JsonObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { shortened } from '../../../protocol/base/shortened.ts';
import type { ChangesQuestion } from '../../../protocol/transfer/plans.ts';
import { guessedMap } from '../../sync/plan/guesses.ts';
import { PLAN_LINE_BYTES_MAX } from '../../sync/plan/plan-file.ts';
import { isPlanLine, type PlanLine } from '../../sync/plan/plan-lines.ts';
import { BrokenSource, type SourceChunk } from '../../sync/rows.ts';
import type { Files } from './files.ts';
import { openUploadedSource } from './plan-making.ts';

/** Files that are read at the same time for requests. */
const AT_ONCE = 2;
/** Columns that are shown, and characters of a cell. */
const COLUMNS_MAX = 200;
const CELL_CHARS_MAX = 200;
/** Bytes of lines in one page: each may be as long as a user and what it replaces. */
const PAGE_BYTES_MAX = 1024 * 1024;
const LF = 0x0a;

/** What an upload looks like. `rows`: the first of them, each with the cells of `columns`. */
export interface LookedAt {
  readonly format: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Json[])[];
  /** The map that the names of the columns suggest. */
  readonly map: Readonly<Record<string, string>>;
}

export interface ChangesPage {
  readonly changes: readonly JsonObject[];
  /** `after` of the page after it, if there is one. */
  readonly next?: number;
}

export class PlanFiles {
  readonly #files: Pick<Files, 'openUpload' | 'openPlan'>;
  readonly #limit = pLimit(AT_ONCE);

  constructor(files: Pick<Files, 'openUpload' | 'openPlan'>) {
    this.#files = files;
  }

  /** Rejects with RosterError: `not_found`, `input` for what cannot be read as a source; and as `Blobs.open`. */
  look(path: string, file: string): Promise<LookedAt> {
    return this.#limit(async () => {
      const upload = await this.#files.openUpload(path);
      if (upload === undefined) throw new RosterError('not_found', 'nothing was uploaded there, or it is no longer there');
      try {
        const { format, columns, chunks } = await openUploadedSource(upload, { source: file, options: {} });
        return lookedAt(format, columns, await firstValues(chunks));
      } catch (error) {
        if (error instanceof BrokenSource) throw new RosterError('input', `the file cannot be planned: ${error.message}`);
        throw error;
      } finally {
        upload.stream.destroy();
      }
    });
  }

  /** Rejects with RosterError `not_found` when the plan has no file, and as `Blobs.open`. */
  changes(id: string, question: ChangesQuestion): Promise<ChangesPage> {
    return this.#limit(async () => {
      const blob = await this.#files.openPlan(id);
      if (blob === undefined) throw new RosterError('not_found', 'there are no changes to show: the file of the plan is not there');
      try {
        return await pageOfPlan(blob.stream, question);
      } finally {
        blob.stream.destroy();
      }
    });
  }
}

async function firstValues(chunks: AsyncIterable<SourceChunk>): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const { rows } of chunks) {
    for (const row of rows) {
      if ('value' in row) values.push(row.value);
      if (values.length === LIMITS.planRowsShown) return values;
    }
  }
  return values;
}

function lookedAt(format: string, named: readonly string[] | undefined, values: readonly unknown[]): LookedAt {
  const objects = values.map((value) => (typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}));
  const columns = (named ?? [...new Set(objects.flatMap((one) => Object.keys(one)))]).slice(0, COLUMNS_MAX);
  const rows = values.map((value, row) =>
    columns.map((column, index) => shown(Array.isArray(value) ? value[index] : objects[row]?.[column])),
  );
  return { format, columns, rows, map: named === undefined ? {} : guessedMap(columns) };
}

function shown(value: unknown): Json {
  if (value === undefined || value === null) return null;
  if (value instanceof InexactNumber) return value.digits;
  return shortened(typeof value === 'string' ? value : JSON.stringify(value), CELL_CHARS_MAX);
}

/** The lines from the byte `after` on; the beginning of a line shows its kind, so that no other one is parsed. */
async function pageOfPlan(stream: Readable, { kind, after = 0, limit }: ChangesQuestion): Promise<ChangesPage> {
  const mark = kind === undefined ? undefined : Buffer.from(kind === 'error' ? '{"error":' : `{"do":"${kind}"`);
  const changes: JsonObject[] = [];
  let bytes = 0;
  let at = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    if (at + rest.length + chunk.length <= after) {
      at += rest.length + chunk.length;
      rest = Buffer.alloc(0);
      continue;
    }
    let left: Buffer = Buffer.concat([rest, chunk]);
    for (let end = left.indexOf(LF); end !== -1; end = left.indexOf(LF)) {
      const line = left.subarray(0, end);
      const isWanted = at >= after && (mark === undefined || line.subarray(0, mark.length).equals(mark));
      const change = isWanted ? planLineOf(line) : undefined;
      if (change !== undefined) {
        if (changes.length === limit || bytes > PAGE_BYTES_MAX) return { changes, next: at };
        bytes += line.length;
        changes.push(JSON.parse(JSON.stringify(change)));
      }
      at += end + 1;
      left = left.subarray(end + 1);
    }
    rest = left;
    if (rest.length > PLAN_LINE_BYTES_MAX) throw new Error('a line of a stored plan is too long');
  }
  return { changes };
}

/** Undefined for the header and the end, and for the middle of a line, which nobody asks for but who made up `after`. */
function planLineOf(line: Buffer): PlanLine | undefined {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return isPlanLine(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
