/**
 * The format of a backup: the lines of a snapshot (../snapshot/lines.ts) between another header and trailer, gzip-compressed or not.
 *
 *   {"format":"rosterd-backup","version":1,"snapshot_version":2,"epoch":"…","seq":500,"created_at":"2026-11-21T12:00:00.000Z"}
 *   {…}                                                                              one line per object, as in a snapshot
 *   {"lines":…,"bytes":…,"crc32":…,"sha256":"…","users":…,"deleted":…,"documents":…,"content":"…","revisions":"…"}
 *
 * `lines`, `documents` and the later keys describe the lines between; `bytes`, `crc32` and `sha256` describe all bytes before
 * the trailer. A backup is whole if and only if its last line is, byte for byte, the trailer computed from its content. The
 * first four keys of the trailer stay the same in all versions.
 */
import { parseObject } from '../../protocol/base/json.ts';
import type { Position } from '../../protocol/base/position.ts';
import { kindOfLine } from '../../protocol/log/directory-line.ts';
import { StoreVersionMismatch } from '../journal/record.ts';
import { SNAPSHOT_VERSION } from '../snapshot/codec.ts';
import { encodeLines, LineReader, parseLines, Sums } from '../snapshot/lines.ts';
import type { SnapshotSource } from '../snapshot.ts';
import { type DirectoryFacts, FactCounter, type PlacedFacts } from './facts.ts';

export const BACKUP_FORMAT = 'rosterd-backup';
const BACKUP_VERSION = 1;
const NEWLINE = 0x0a;
const NO_LINES = { lines: Buffer.alloc(0) };
const NO_HEADER = 'it does not begin with the header of a backup';

/** The content of a backup. */
export interface BackupSummary extends PlacedFacts {
  /** RFC 3339. */
  readonly createdAt: string;
  readonly lines: number;
  /** Size of the whole backup, uncompressed. */
  readonly bytes: number;
  /** Of all bytes before the trailer. */
  readonly sha256: string;
}

/** The file is not a finished backup. `offset` is in bytes, uncompressed, where it is known. */
export class BackupDamaged extends Error {
  readonly file: string;
  readonly offset: number | undefined;
  readonly reason: string;

  constructor(file: string, reason: string, offset?: number) {
    super(`${file} is not a whole backup: ${reason}${offset === undefined ? '' : ` (at byte ${offset})`}`);
    this.name = 'BackupDamaged';
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

function encodeTrailer(lines: number, { bytes, crc }: Sums, sha256: string, facts: DirectoryFacts): string {
  const { users, deleted, documents, content, revisions } = facts;
  return `${JSON.stringify({ lines, bytes, crc32: crc, sha256, users, deleted, documents, content, revisions })}\n`;
}

/** The backup of a directory, in chunks of about 256 KiB; each chunk is made on request, in slices of a few milliseconds. */
export function encodeBackup(source: SnapshotSource, createdAt: string): AsyncGenerator<Buffer, void, undefined> {
  const { epoch, seq } = source.position;
  const header = { format: BACKUP_FORMAT, version: BACKUP_VERSION, snapshot_version: SNAPSHOT_VERSION, epoch, seq, created_at: createdAt };
  const facts = new FactCounter();
  const sums = new Sums({ hasSha: true });
  return encodeLines({
    header: `${JSON.stringify(header)}\n`,
    lines: source.lines(),
    trailer: (lines) => encodeTrailer(lines, sums, sums.sha256(), facts.facts),
    sums,
    reusesBuffer: false,
    onLine: (line) => {
      const kind = kindOfLine(line);
      if (kind === undefined) throw new Error('the directory has a line that no backup can hold');
      facts.add(kind);
    },
  });
}

type Header = Position & { readonly createdAt: string };

/**
 * Checks a backup as a stream. `push` takes its bytes, uncompressed, in any pieces; `end` returns a summary, or throws the
 * error. The results of `push` must not be used before `end` has returned.
 */
export class BackupReader {
  readonly #file: string;
  readonly #reader: LineReader;
  readonly #facts = new FactCounter();
  #header: Header | undefined;
  /** Set for another version, of which only the checksum can be verified. */
  #foreign: StoreVersionMismatch | undefined;
  #lines = 0;

  /** @param file its name in errors */
  constructor(file: string) {
    this.#file = file;
    const damaged = (reason: string, offset: number) => this.#damaged(reason, offset);
    this.#reader = new LineReader({ sums: new Sums({ hasSha: true }), noHeader: NO_HEADER, damaged });
  }

  /** Returns the lines, between header and trailer, that are now complete. Throws BackupDamaged. */
  push(chunk: Buffer): Buffer {
    const [{ lines } = NO_LINES] = this.#reader.push(chunk);
    const { header, sums } = this.#reader;
    if (header !== undefined && this.#header === undefined && this.#foreign === undefined) this.#readHeader(header);
    if (this.#foreign === undefined && lines.length > 0) this.#readLines(lines, sums.bytes - lines.length);
    return lines;
  }

  /** Throws BackupDamaged; StoreVersionMismatch for a whole backup of another version. */
  end(): BackupSummary {
    const { trailer, sums } = this.#reader;
    const { lines, bytes, crc32: crc, sha256 } = parseObject(trailer) ?? {};
    const header = this.#header;
    if (header === undefined && this.#foreign === undefined) throw this.#damaged(NO_HEADER, 0);
    if (typeof lines !== 'number' || typeof bytes !== 'number' || typeof crc !== 'number' || typeof sha256 !== 'string') {
      throw this.#damaged('it does not end with a trailer, so its end is missing or damaged', sums.bytes);
    }
    if (bytes !== sums.bytes) throw this.#damaged(`its trailer is about ${bytes} bytes, there are ${sums.bytes} before it`);
    if (crc !== sums.crc || sha256 !== sums.sha256()) throw this.#damaged('it does not match its checksums');
    if (header === undefined) throw this.#foreign ?? this.#damaged('it has no header', 0);
    const facts = this.#facts.facts;
    if (trailer !== encodeTrailer(this.#lines, sums, sha256, facts))
      throw this.#damaged('its trailer does not say what it holds', sums.bytes);
    const { epoch, seq, createdAt } = header;
    return { ...facts, position: { epoch, seq }, createdAt, lines: this.#lines, bytes: this.#reader.bytes, sha256 };
  }

  #readHeader(text: string): void {
    const { format, version, snapshot_version: snapshot, epoch, seq, created_at: createdAt } = parseObject(text) ?? {};
    if (format !== BACKUP_FORMAT || typeof version !== 'number') throw this.#damaged(NO_HEADER, 0);
    // Reported at the end: a version that a flipped bit made is damage, not another version.
    if (version !== BACKUP_VERSION) this.#foreign = new StoreVersionMismatch(this.#file, version, BACKUP_VERSION);
    else if (snapshot !== SNAPSHOT_VERSION) this.#foreign = new StoreVersionMismatch(this.#file, Number(snapshot), SNAPSHOT_VERSION);
    else if (typeof epoch !== 'string' || typeof seq !== 'number' || !Number.isSafeInteger(seq) || typeof createdAt !== 'string') {
      throw this.#damaged('its header names no position', 0);
    } else this.#header = { epoch, seq, createdAt };
  }

  #readLines(body: Buffer, start: number): void {
    // Only after a failure, one by one, to find the place.
    const lines = parseLines(Buffer.from(body));
    if (lines === undefined) throw this.#firstBadLine(body, start);
    for (const line of lines) {
      const kind = kindOfLine(line);
      if (kind === undefined) throw this.#firstBadLine(body, start);
      this.#facts.add(kind);
    }
    this.#lines += lines.length;
  }

  #firstBadLine(body: Buffer, start: number): BackupDamaged {
    let at = 0;
    while (at < body.length) {
      const end = body.indexOf(NEWLINE, at);
      if (kindOfLine(parseObject(body.toString('utf8', at, end))) === undefined) break;
      at = end + 1;
    }
    return this.#damaged('a line is not one of a directory', start + at);
  }

  #damaged(reason: string, offset?: number): BackupDamaged {
    return new BackupDamaged(this.#file, reason, offset);
  }
}
