/**
 * A group: the records that one write stores and one `fdatasync` makes durable.
 *
 * Entries are encoded as they arrive, while the previous group is being written; their headers are completed when the place
 * of the group in a segment is known. Buffers are reused, so that a busy journal makes little garbage.
 */
import { crc32 } from 'node:zlib';
import { ENTRY_VERSION, type Entry } from '../../protocol/log/entry.ts';
import type { AppendResult, LogUnavailable } from '../log.ts';
import { KIND_ENTRY, RECORD_HEADER_BYTES, writeRecordHeader } from './record.ts';

export interface PendingRecord {
  readonly entry: Entry;
  /** Offset in the group and length of the record, bytes. */
  readonly at: number;
  readonly bytes: number;
  readonly payloadCrc: number;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: LogUnavailable) => void;
}

export class Group {
  readonly records: PendingRecord[] = [];
  #buffer: Buffer;
  #length = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get buffer(): Buffer {
    return this.#buffer;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds the record of `entry`, whose payload is `text` of `payloadBytes` bytes. */
  add(entry: Entry, text: string, payloadBytes: number, resolve: PendingRecord['resolve'], reject: PendingRecord['reject']): void {
    const at = this.#length;
    const bytes = RECORD_HEADER_BYTES + payloadBytes;
    this.#reserve(at + bytes);
    const from = at + RECORD_HEADER_BYTES;
    this.#buffer.write(text, from, payloadBytes, 'utf8');
    const payloadCrc = crc32(this.#buffer.subarray(from, from + payloadBytes));
    this.records.push({ entry, at, bytes, payloadCrc, resolve, reject });
    this.#length = at + bytes;
  }

  /**
   * Completes the headers: the group goes to offset `synced` of the segment with this seed, and everything before it is durable. `nowMs`:
   * the wall clock, from which retention counts the age of the entries; their own times may be ahead of it.
   */
  seal(seed: number, synced: number, nowMs: number): void {
    const now = Math.floor(nowMs * 1_000);
    for (const { entry, at, bytes, payloadCrc } of this.records) {
      const header = {
        kind: KIND_ENTRY,
        version: ENTRY_VERSION,
        payloadBytes: bytes - RECORD_HEADER_BYTES,
        facts: entry.facts.length,
        first: entry.first,
        synced,
        time: Math.min(entry.time, now),
        payloadCrc,
      };
      writeRecordHeader(this.#buffer, at, header, seed);
    }
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const bigger = Buffer.allocUnsafeSlow(Math.max(bytes, this.#buffer.length * 2));
    this.#buffer.copy(bigger, 0, 0, this.#length);
    this.#buffer = bigger;
  }
}
