/** Reads the bytes of a file as a source of rows, and finds out their format. */
import type { Readable } from 'node:stream';
import { encodingProblem, jsonLines, jsonList, MARK_BYTES } from '../json-rows.ts';
import { BrokenSource } from '../rows.ts';
import { openCsv } from './csv-source.ts';
import type { Format, OpenedSource } from './opened-source.ts';

const LEAD_BYTES_MAX = 64 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const LIST_START = 0x5b;
const OBJECT_START = 0x7b;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const EXTENSIONS: ReadonlyMap<string, Format> = new Map([
  ['csv', 'csv'],
  ['json', 'json'],
  ['ndjson', 'ndjson'],
  ['jsonl', 'ndjson'],
]);

export interface ByteSourceOptions {
  /** Its extension names the format, if `format` does not. */
  readonly file: string;
  readonly format?: Format | undefined;
  /** Looks at the first line of a file that is no table, and throws to refuse the file. */
  readonly checkStart?: (firstLine: string) => void;
}

export type ByteSource = Pick<OpenedSource, 'columns' | 'chunks'> & { readonly format: Format };

/** Rejects with BrokenSource for content that cannot be a source, with the error of the stream, and with that of `checkStart`. */
export async function openByteSource(stream: Readable, { file, format, checkStart }: ByteSourceOptions): Promise<ByteSource> {
  const { first, start, bytes } = await lookAhead(stream);
  const chosen = format ?? formatOf(file, first);
  if (chosen !== 'csv') checkStart?.(firstLineOf(start));
  if (chosen !== 'csv') return { format: chosen, chunks: chosen === 'json' ? jsonList(bytes) : jsonLines(bytes) };
  return { format: chosen, ...(await openCsv(bytes)) };
}

/** By the extension and the first character: JSON may be a list or one object per line, whatever the file is called. */
function formatOf(file: string, first: number | undefined): Format {
  const extension = EXTENSIONS.get(/\.([a-z]+)$/i.exec(file)?.[1]?.toLowerCase() ?? '');
  if (extension === 'csv') return extension;
  if (first === LIST_START) return 'json';
  if (first === OBJECT_START) return 'ndjson';
  return extension ?? (first === undefined ? 'ndjson' : 'csv');
}

function firstLineOf(start: Buffer): string {
  const [line = ''] = start
    .toString('utf8')
    .trimStart()
    .split(/[\r\n]/, 1);
  return line;
}

interface Ahead {
  /** The first byte that is not white space. */
  readonly first: number | undefined;
  /** The bytes read ahead: of JSON, its first line, if that is no longer than a line may be. */
  readonly start: Buffer;
  /** All bytes, including those read ahead. */
  readonly bytes: AsyncGenerator<Buffer>;
}

/** Throws BrokenSource for content that is not text. */
async function lookAhead(stream: Readable): Promise<Ahead> {
  const chunks: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  let first: number | undefined;
  const isEnough = () => first !== undefined && start.length >= MARK_BYTES && (first !== OBJECT_START || hasLine(start));
  while (start.length < LEAD_BYTES_MAX && !isEnough()) {
    const step = await chunks.next();
    if (step.done === true) break;
    start = Buffer.concat([start, Buffer.from(step.value)]);
    const problem = encodingProblem(start);
    if (problem !== undefined) throw new BrokenSource(problem.replace('first', 'first, such as zcat users.csv.gz | rosterd sync plan -'));
    first = start.subarray(start.subarray(0, 3).equals(BOM) ? 3 : 0).find((byte) => byte > 0x20);
  }
  return { first, start, bytes: allBytes(start, chunks) };
}

/** Whether the line on which the content begins has its end. */
function hasLine(start: Buffer): boolean {
  return start.subarray(start.indexOf(OBJECT_START)).some((byte) => byte === LF || byte === CR);
}

async function* allBytes(start: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (start.length > 0) yield start;
  for (;;) {
    const step = await rest.next();
    if (step.done === true) return;
    yield Buffer.from(step.value);
  }
}
