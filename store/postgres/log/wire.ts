/** Entries on their way to PostgreSQL and back. */
import { crc32 } from 'node:zlib';
import { ENTRY_VERSION, type Entry } from '../../../protocol/log/entry.ts';
import { decodeEntry, KIND_ENTRY, StoreVersionMismatch } from '../../journal/record.ts';
import { LogDamaged } from '../../log.ts';
import type { PgRow } from '../link/connection.ts';
import type { EntryFormats } from './formats.ts';

const BYTEA = 17;
const HEADER_BYTES = 20;

/**
 * An array of `bytea` in PostgreSQL's binary form: half the bytes of its text, and no work for either side.
 * All integers are big-endian: dimensions, flags, type, length, lower bound; then each element after its length.
 */
export function byteaArray(texts: readonly string[]): Buffer {
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + sizes.reduce((sum, size) => sum + 4 + size, 0));
  for (const [index, value] of [1, 0, BYTEA, texts.length, 1].entries()) buffer.writeInt32BE(value, index * 4);
  let at = HEADER_BYTES;
  for (const [index, text] of texts.entries()) {
    at = buffer.writeInt32BE(sizes[index] ?? 0, at);
    at += buffer.write(text, at);
  }
  return buffer;
}

export interface ReadEntry {
  readonly entry: Entry;
  readonly bytes: number;
}

/** The entry of a row with last, first, version, crc and payload. Throws LogDamaged or StoreVersionMismatch. */
export function entryOfRow(app: string, row: PgRow, { oldest, newest }: EntryFormats): ReadEntry {
  const { payload, crc } = row;
  const [last, first, version] = [Number(row.last), Number(row.first), Number(row.version)];
  const place = `the table rosterd.entry of ${app}`;
  if (version < oldest || version > newest) throw new StoreVersionMismatch(`entry ${last} in ${place}`, version, newest);
  if (typeof payload !== 'string' || crc32(payload) !== crc) throw new LogDamaged(place, last, 'the payload does not match its checksum');
  const facts = last - first + 1;
  // A format that is read differently is told apart here.
  const header = { kind: KIND_ENTRY, version: ENTRY_VERSION, payloadBytes: 0, facts, first, synced: 0, time: 0, payloadCrc: crc };
  const entry = decodeEntry(payload, header);
  if (entry === undefined) throw new LogDamaged(place, last, 'the payload does not match its row');
  return { entry, bytes: payload.length };
}

/** The entries of an answer whose rows may also be empty on the side of the entry. */
export function entriesOfRows(app: string, rows: readonly PgRow[], formats: EntryFormats): readonly ReadEntry[] {
  return rows.filter(({ payload }) => payload !== null).map((row) => entryOfRow(app, row, formats));
}
