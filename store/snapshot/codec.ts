/**
 * The format of a snapshot file (lines.ts):
 *
 *   {"format":"rosterd-snapshot","version":3,"epoch":"…","seq":500}    header
 *   {…}                                                                one line per saved object
 *   {"lines":2,"bytes":210,"crc32":3735928559}                         trailer; number and CRC-32 of the bytes before it
 *
 * Version 2 has a line for each record; version 3 may have lines of many records.
 * A file is whole if and only if the trailer is its last line and agrees with everything before it. The trailer stays the same in
 * all versions.
 */
import { parseObject } from '../../protocol/base/json.ts';
import type { Position } from '../../protocol/base/position.ts';
import { StoreVersionMismatch } from '../journal/record.ts';
import type { SnapshotSource } from '../snapshot.ts';
import { encodeLines, LineReader, Sums } from './lines.ts';

const FORMAT = 'rosterd-snapshot';
/** The version of the header and of the lines. */
export const SNAPSHOT_VERSION = 2;
/** That of a snapshot some lines of which hold records in blocks. */
export const PACKED_VERSION = 3;

/** The file is not the result of a finished save. */
export class SnapshotDamaged extends Error {
  readonly file: string;
  readonly reason: string;

  constructor(file: string, reason: string) {
    super(`${file} is damaged: ${reason}`);
    this.name = 'SnapshotDamaged';
    this.file = file;
    this.reason = reason;
  }
}

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

/** The bytes of a snapshot, in chunks of about 256 KiB, each valid until the next one is requested. `onLines` gets the number of lines. */
export function encodeSnapshot(source: SnapshotSource, onLines: (lines: number) => void): AsyncGenerator<Buffer, void, undefined> {
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
  });
}

/**
 * Checks a snapshot as a stream: `push` takes its bytes, in any pieces, and returns complete lines; `end` returns the
 * result, or throws the error.
 */
export class SnapshotReader {
  readonly #file: string;
  readonly #reader: LineReader;

  /** @param file its name in errors */
  constructor(file: string) {
    this.#file = file;
    this.#reader = new LineReader(new Sums({ hasSha: false }), 'it has no header', (reason) => new SnapshotDamaged(file, reason));
  }

  /** The result is valid until the next call. Throws SnapshotDamaged. */
  push(chunk: Buffer): Buffer {
    return this.#reader.push(chunk);
  }

  /** Throws SnapshotDamaged; StoreVersionMismatch for a whole snapshot of another version. */
  end(): CheckedSnapshot {
    const { sums, trailer, header } = this.#reader;
    const { lines, bytes, crc32: crc } = parseObject(trailer) ?? {};
    if (!trailer.endsWith('\n')) throw this.#damaged('it does not end with a trailer');
    if (typeof lines !== 'number' || typeof crc !== 'number' || bytes !== sums.bytes)
      throw this.#damaged('it does not end with its trailer');
    if (crc !== sums.crc) throw this.#damaged('it does not match its checksum');
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

  #damaged(reason: string): SnapshotDamaged {
    return new SnapshotDamaged(this.#file, reason);
  }
}
