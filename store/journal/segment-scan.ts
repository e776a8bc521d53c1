/**
 * Reads a segment from its first byte and finds the end of its valid records. It makes no decisions: recovery.ts decides
 * whether a bad record is a torn tail or damage.
 */
import { basename } from 'node:path';
import { crc32 } from 'node:zlib';
import { LIMITS } from '../../protocol/base/limits.ts';
import { ENTRY_VERSION } from '../../protocol/log/entry.ts';
import { type BadRecord, FileWindow, type RecordStep, type SyncProof, scanRecords } from '../append-file.ts';
import type { OpenFile } from '../file-system.ts';
import { LogDamaged } from '../log.ts';
import {
  KIND_ENTRY,
  KIND_SEGMENT,
  MAGIC,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  readRecordHeader,
  SEGMENT_VERSION,
  StoreVersionMismatch,
  segmentSeed,
} from './record.ts';
import { parseLineage, Segment, segmentFirst } from './segment.ts';

export interface Scan {
  /** The records up to the first bad one. */
  readonly segment: Segment;
  /** Size of the file, bytes. */
  readonly size: number;
  readonly bad: BadRecord | undefined;
}

async function readHeaderRecord(window: FileWindow, path: string, size: number, blockBytes: number): Promise<Segment> {
  const first = segmentFirst(basename(path));
  if (first === undefined) throw new Error(`${path} is not a segment`);
  // A segment gets its name only when its header is durable, so a bad header is never a torn one.
  const header = readRecordHeader(await window.at(0, RECORD_HEADER_BYTES), 0, segmentSeed(first));
  if (header === undefined || header.kind !== KIND_SEGMENT) throw new LogDamaged(path, 0, 'the segment header is not whole');
  if (header.version > SEGMENT_VERSION) throw new StoreVersionMismatch(path, header.version, SEGMENT_VERSION);
  const end = RECORD_HEADER_BYTES + header.payloadBytes;
  if (end > size) throw new LogDamaged(path, 0, 'the segment header is cut off');
  const payload = (await window.at(RECORD_HEADER_BYTES, header.payloadBytes)).subarray(0, header.payloadBytes);
  const lineage = crc32(payload) === header.payloadCrc ? parseLineage(payload.toString()) : undefined;
  if (lineage === undefined || header.first !== first) throw new LogDamaged(path, 0, 'the segment header does not match its checksum');
  return new Segment(path, first, lineage, end, blockBytes);
}

/** The reason why the record cannot be the next one of the segment, or undefined when its header is good. */
function headerFault(header: RecordHeader | undefined, segment: Segment): string | undefined {
  if (header === undefined) return 'no whole record header';
  if (header.kind !== KIND_ENTRY || header.facts === 0) return 'a record of an unknown kind';
  if (header.first !== segment.last + 1) return `the record says seq ${header.first}, but ${segment.last + 1} comes next`;
  if (header.synced > segment.end) return 'the record says that bytes after it were durable before it';
  if (header.payloadBytes > LIMITS.entryBytes) return 'the record is longer than an entry may be';
  return undefined;
}

/** Throws LogDamaged for a bad segment header, StoreVersionMismatch for the format of another version. */
export async function scanSegment(file: OpenFile, path: string, blockBytes: number): Promise<Scan> {
  const size = await file.size();
  const segment = await readHeaderRecord(new FileWindow(file), path, size, blockBytes);
  const { bad } = await scanRecords(file, segment.end, (view) => readEntry(view, segment));
  return { segment, size, bad };
}

function readEntry(view: Buffer, segment: Segment): RecordStep {
  if (view.length < RECORD_HEADER_BYTES) return { kind: 'more', bytes: RECORD_HEADER_BYTES, reason: 'no whole record header' };
  const header = readRecordHeader(view, 0, segment.seed);
  const fault = headerFault(header, segment);
  if (header === undefined || fault !== undefined) return { kind: 'bad', reason: fault ?? 'no record' };
  if (header.version !== ENTRY_VERSION) throw new StoreVersionMismatch(segment.path, header.version, ENTRY_VERSION);
  const bytes = RECORD_HEADER_BYTES + header.payloadBytes;
  if (view.length < bytes) return { kind: 'more', bytes, reason: 'the record is cut off' };
  if (crc32(view.subarray(RECORD_HEADER_BYTES, bytes)) !== header.payloadCrc) {
    return { kind: 'bad', reason: 'the payload does not match its checksum' };
  }
  segment.add(bytes, header.facts, header.time);
  return { kind: 'whole', bytes };
}

/** Every record says how much of the segment was durable when it was written. */
export function syncProof(segment: Segment): SyncProof {
  return {
    magic: MAGIC,
    headerBytes: RECORD_HEADER_BYTES,
    durableBefore: (view, index) => readRecordHeader(view, index, segment.seed)?.synced,
  };
}
