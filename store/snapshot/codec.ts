/**
 * The format of a snapshot file (lines.ts):
 *
 *   {"format":"rosterd-snapshot","version":3,"epoch":"…","seq":500}    header
 *   {…}                                                                one line per saved object,
 *   [32760,{…}]                                                        or one with so many bytes of a block, which follow with 0a
 *   {"lines":2,"bytes":210,"crc32":3735928559}                         trailer; number and CRC-32 of the bytes before it
 *
 * Version 2 has a line for each record, and no blocks; version 3 may have blocks of many records.
 * A file is whole if and only if the trailer is its last line and agrees with everything before it. The trailer stays the same in
 * all versions.
 */
import { parseObject } from '../../protocol/base/json.ts';
import type { Position } from '../../protocol/base/position.ts';
import { StoreVersionMismatch } from '../journal/record.ts';
import { type Rest, SnapshotDamaged, type SnapshotLine, type SnapshotSource } from '../snapshot.ts';
import { encodeLines, LineReader, type Piece, parsePiece, Sums } from './lines.ts';

const FORMAT = 'rosterd-snapshot';
/** The version of the header and of the lines. */
export const SNAPSHOT_VERSION = 2;
/** That of a snapshot that may hold blocks. */
export const PACKED_VERSION = 3;

/** The result of reading a whole file. */
export interface CheckedSnapshot {
  readonly position: Position;
  readonly lines: number;
}

export function snapshotHeader({ epoch, seq }: Position, isPacked = false): string {
  return `${JSON.stringify({ format: FORMAT, version: isPacked ? PACKED_VERSION : SNAPSHOT_VERSION, epoch, seq })}\n`;
}

export function snapshotTrailer(lines: number, { bytes, crc }: Sums): string {
  return `${JSON.stringify({ lines, bytes, crc32: crc })}\n`;
}

/**
 * The bytes of a snapshot, in chunks of about 256 KiB, each valid until the next one is requested. `onLines` gets the number of lines;
 * `rest`: see `SnapshotStore.save`.
 */
export function encodeSnapshot(
  source: SnapshotSource,
  onLines: (lines: number) => void,
  rest?: Rest,
): AsyncGenerator<Buffer, void, undefined> {
  const sums = new Sums({ hasSha: false });
  const trailer = (lines: number): string => {
    onLines(lines);
    return snapshotTrailer(lines, sums);
  };
  return encodeLines({
    header: snapshotHeader(source.position, source.isPacked),
    lines: source.lines(),
    trailer,
    sums,
    reusesBuffer: true,
    hasBlocks: source.isPacked,
    rest,
  });
}

/** The lines of a snapshot whose bytes come in chunks. Rejects with SnapshotDamaged or StoreVersionMismatch, perhaps only at the end. */
export async function* readSnapshot(
  file: string,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<readonly SnapshotLine[], void, undefined> {
  const reader = new SnapshotReader(file);
  for await (const chunk of chunks) {
    const lines = reader.parsed(reader.push(chunk));
    if (lines.length > 0) yield lines;
  }
  reader.end();
}

/**
 * Checks a snapshot as a stream: `push` takes its bytes, in any pieces, and returns what is complete, which `parsed` makes lines of; `end`
 * returns the result, or throws the error.
 */
export class SnapshotReader {
  readonly #file: string;
  readonly #reader: LineReader;
  #parsed: number | undefined;

  /** @param file its name in errors */
  constructor(file: string) {
    this.#file = file;
    this.#reader = new LineReader({
      sums: new Sums({ hasSha: false }),
      noHeader: 'it has no header',
      damaged: (reason) => this.#damaged(reason),
      // Also in later versions: what else a file of theirs holds, its trailer tells that it is whole.
      hasBlocks: (header) => Number(parseObject(header)?.version) >= PACKED_VERSION,
    });
  }

  /** See `LineReader.push`. The result is valid until the next call. Throws SnapshotDamaged. */
  push(chunk: Buffer): readonly Piece[] {
    return this.#reader.push(chunk);
  }

  /** The lines of these pieces, whose bytes are valid as long as they are. Throws SnapshotDamaged. */
  parsed(pieces: readonly Piece[]): readonly SnapshotLine[] {
    const lines = pieces.flatMap((piece) => parsePiece(piece) ?? this.#noJson());
    this.#parsed = (this.#parsed ?? 0) + lines.length;
    return lines;
  }

  /** Throws SnapshotDamaged; StoreVersionMismatch for a whole snapshot of another version. */
  end(): CheckedSnapshot {
    const { sums, trailer, header } = this.#reader;
    const { lines, bytes, crc32: crc } = parseObject(trailer) ?? {};
    if (!trailer.endsWith('\n')) throw this.#damaged('it does not end with a trailer');
    if (typeof lines !== 'number' || typeof crc !== 'number' || bytes !== sums.bytes)
      throw this.#damaged('it does not end with its trailer');
    if (crc !== sums.crc) throw this.#damaged('it does not match its checksum');
    if (this.#parsed !== undefined && this.#parsed !== lines)
      throw this.#damaged(`it has ${this.#parsed} lines, its trailer says ${lines}`);
    // Checked last: a version that a flipped bit made must not look like a later version.
    return { position: this.#position(header ?? ''), lines };
  }

  #position(text: string): Position {
    const { format, version, epoch, seq } = parseObject(text) ?? {};
    if (format !== FORMAT || typeof version !== 'number') throw this.#damaged('it has no header');
    if (version !== SNAPSHOT_VERSION && version !== PACKED_VERSION) throw new StoreVersionMismatch(this.#file, version, PACKED_VERSION);
    if (typeof epoch !== 'string' || typeof seq !== 'number') throw this.#damaged('its header names no position');
    return { epoch, seq };
  }

  #noJson(): never {
    throw this.#damaged('a line is not JSON');
  }

  #damaged(reason: string): SnapshotDamaged {
    return new SnapshotDamaged(this.#file, reason);
  }
}
