/**
 * Opens a journal in any state: reads and checks every segment, distinguishes a torn tail from damage, and makes the
 * result durable before anything builds on it. The rules (README, "Recovery") in short:
 *
 * - A bad record in a segment that is not the last one, a missing segment, a foreign epoch or a bad segment header is damage.
 * - A bad record at offset x of the last segment is damage if a later record proves that x was durable, if a snapshot
 *   already covers its seq, or if the journal was closed cleanly. Otherwise it is a torn tail: it and everything after it are dropped.
 * - Damage never changes a file. It throws LogDamaged and leaves everything for the operator.
 */
import { randomBytes } from 'node:crypto';
import { basename, join } from 'node:path';
import type { Position } from '../../protocol/base/position.ts';
import { AppendFile, type BadRecord, findProofOfSync } from '../append-file.ts';
import { isNoSpace } from '../disk-errors.ts';
import type { OnStoreEvent } from '../events.ts';
import { createWhole, type FileSystem, listWithoutLeftovers, type OpenFile, removeIfThere, writeFully } from '../file-system.ts';
import { LogDamaged } from '../log.ts';
import { type CleanMarker, readCleanMarker } from './clean-marker.ts';
import { createSegment, type Lineage, type Segment, segmentFirst, segmentName } from './segment.ts';
import { type Scan, scanSegment, syncProof } from './segment-scan.ts';

const COPY_BYTES = 1024 * 1024;
const TORN_SUFFIX = '.torn';

export interface RecoveryOptions {
  readonly fs: FileSystem;
  readonly directory: string;
  /** Position of the snapshot that was loaded, if any. */
  readonly snapshot: Position | undefined;
  /** Where a new journal continues a history that is elsewhere. */
  readonly begin?: Position | undefined;
  readonly blockBytes: number;
  readonly onEvent: OnStoreEvent;
}

export interface Recovered {
  readonly lineage: Lineage;
  /** At least one; the last one is active. */
  readonly segments: Segment[];
  /** The active segment's file, open for writing. */
  readonly file: AppendFile;
  /** True when the marker of a clean close still exists. */
  readonly clean: boolean;
  /** There is no space to keep a copy of the torn tail: it is still there, and must be dropped by this before anything is written. */
  readonly dropTail: (() => Promise<void>) | undefined;
}

/** Opens the journal in `directory`, or begins one. Throws LogDamaged, StoreVersionMismatch, or an error of the file system. */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { fs, directory, snapshot } = options;
  const names = await listWithoutLeftovers(fs, directory);
  const marker = await readCleanMarker(fs, directory, names);
  const firsts = names.map(segmentFirst).filter((first) => first !== undefined);
  firsts.sort((a, b) => a - b);
  if (firsts.length === 0) {
    if (marker !== undefined)
      throw new LogDamaged(join(directory, marker.segment), 0, 'the journal was closed cleanly, but its segments are gone');
    return begin(options);
  }

  const segments: Segment[] = [];
  let lastScan: Scan | undefined;
  for (const scanned of await scansOf(firsts, options)) {
    if (lastScan?.bad !== undefined) throw new LogDamaged(lastScan.segment.path, lastScan.bad.offset, lastScan.bad.reason);
    if (scanned.status === 'rejected') throw scanned.reason;
    lastScan = scanned.value;
    checkSuccession(segments.at(-1), lastScan.segment);
    segments.push(lastScan.segment);
  }
  const oldest = segments[0];
  if (lastScan === undefined || oldest === undefined) throw new Error('a journal has at least one segment');
  checkSnapshot(oldest, lastScan, snapshot);
  if (marker !== undefined) checkMarker(lastScan, marker);
  const active = await openActive(options, lastScan);
  return { lineage: lastScan.segment.lineage, segments, ...active, clean: marker !== undefined };
}

/** Scans the segments that begin with these seqs, two at a time: while one is checked, the other one is read. */
async function scansOf(firsts: readonly number[], { fs, directory, blockBytes }: RecoveryOptions): Promise<PromiseSettledResult<Scan>[]> {
  const scans: PromiseSettledResult<Scan>[] = [];
  const scan = async (first: number): Promise<Scan> => {
    const path = join(directory, segmentName(first));
    const file = await fs.openRead(path);
    return await scanSegment(file, path, blockBytes).finally(() => file.close());
  };
  const rest = firsts.entries();
  const lane = async (): Promise<void> => {
    for (const [index, first] of rest) [scans[index]] = await Promise.allSettled([scan(first)]);
  };
  await Promise.all([lane(), lane()]);
  return scans;
}

/** LG8: without a journal, a history begins, at the end of the snapshot if there is one, or one is continued. */
async function begin(options: RecoveryOptions): Promise<Recovered> {
  const { fs, directory, snapshot, begin: continued, blockBytes } = options;
  const start = (continued ?? snapshot)?.seq ?? 0;
  const epoch = continued?.epoch ?? randomBytes(12).toString('hex');
  const lineage: Lineage = { epoch, start, parent: continued === undefined ? (snapshot?.epoch ?? null) : null };
  const { segment, file } = await createSegment(fs, directory, start + 1, lineage, blockBytes);
  if (continued === undefined) options.onEvent({ type: 'epoch-started', epoch: lineage.epoch, after: start });
  return { lineage, segments: [segment], file, clean: false, dropTail: undefined };
}

function checkSuccession(before: Segment | undefined, next: Segment): void {
  if (before === undefined) return;
  if (next.lineage.epoch !== before.lineage.epoch) {
    throw new LogDamaged(next.path, 0, `it belongs to epoch ${next.lineage.epoch}, the segment before it to ${before.lineage.epoch}`);
  }
  if (next.first !== before.last + 1) {
    throw new LogDamaged(before.path, before.end, `the next segment begins with seq ${next.first}, but this one ends with ${before.last}`);
  }
}

/** Checks that the snapshot and the journal belong together, without a gap between them. */
function checkSnapshot(oldest: Segment, last: Scan, snapshot: Position | undefined): void {
  const { lineage, path, end } = last.segment;
  const covered = snapshot?.seq ?? 0;
  const fresh = snapshot !== undefined && snapshot.epoch === lineage.parent && snapshot.seq === lineage.start;
  if (snapshot !== undefined && snapshot.epoch !== lineage.epoch && !fresh) {
    throw new LogDamaged(
      path,
      0,
      `the journal has epoch ${lineage.epoch}, but the snapshot has ${snapshot.epoch}: they do not belong together`,
    );
  }
  if (oldest.first - 1 > covered) {
    const found = snapshot === undefined ? 'there is no snapshot' : `the newest whole snapshot ends with seq ${covered}`;
    throw new LogDamaged(oldest.path, 0, `the journal begins with seq ${oldest.first}, but ${found}: entries between them are missing`);
  }
  if (last.bad !== undefined && last.segment.last < covered) {
    throw new LogDamaged(path, last.bad.offset, `${last.bad.reason}; a snapshot at seq ${covered} proves that it was durable`);
  }
  if (last.segment.last < covered) {
    const advice = 'to go on from the snapshot, with a new epoch, move the journal directory away';
    throw new LogDamaged(
      path,
      end,
      `the journal ends with seq ${last.segment.last}, but a snapshot holds ${covered}: its end is lost; ${advice}`,
    );
  }
}

function checkMarker(last: Scan, marker: CleanMarker): void {
  const { segment, bad, size } = last;
  if (bad !== undefined) throw new LogDamaged(segment.path, bad.offset, `${bad.reason}, although the journal was closed cleanly`);
  const same =
    marker.segment === basename(segment.path) &&
    marker.bytes === size &&
    marker.seq === segment.last &&
    marker.epoch === segment.lineage.epoch;
  if (same) return;
  const was = `${marker.segment} with ${marker.bytes} bytes and seq ${marker.seq}`;
  throw new LogDamaged(
    segment.path,
    Math.min(size, marker.bytes),
    `the journal was closed cleanly at ${was}, but ends with ${size} bytes and seq ${segment.last}`,
  );
}

/** Opens the last segment for writing, without its torn tail. */
async function openActive(options: RecoveryOptions, scan: Scan): Promise<Pick<Recovered, 'file' | 'dropTail'>> {
  const { fs, onEvent } = options;
  const { bad, size } = scan;
  const { path, end } = scan.segment;
  if (bad === undefined) return { file: await AppendFile.resume(fs, path, end, 'synced'), dropTail: undefined };
  const told = (copy: string): void => onEvent({ type: 'torn-tail-dropped', file: path, offset: end, bytes: size - end, copy });
  try {
    const copy = await keepTornTail(options, scan, bad);
    const file = await AppendFile.resume(fs, path, end, 'synced');
    told(copy);
    return { file, dropTail: undefined };
  } catch (error) {
    if (!isNoSpace(error)) throw error;
  }
  const file = await AppendFile.resume(fs, path, end, 'synced', true);
  const dropTail = async (): Promise<void> => {
    const copy = await keepTornTail(options, scan, bad);
    await file.mend();
    told(copy);
  };
  return { file, dropTail };
}

/**
 * Keeps the dropped bytes in `<segment>.torn`: a bit flip in the last record looks like a torn write, and then this
 * is the only copy of an acknowledged entry. Keeps only the newest such file, so that a crash loop cannot fill the disk.
 */
async function keepTornTail(options: RecoveryOptions, { segment, size }: Scan, bad: BadRecord): Promise<string> {
  const { fs, directory } = options;
  const from = await fs.openRead(segment.path);
  try {
    const found = await findProofOfSync(from, size, bad.offset, syncProof(segment));
    if (found !== undefined) {
      throw new LogDamaged(segment.path, bad.offset, `${bad.reason}; the record at ${found} proves that it was durable`);
    }
    const name = basename(segment.path) + TORN_SUFFIX;
    for (const old of await fs.list(directory)) {
      if (old.endsWith(TORN_SUFFIX) && old !== name) await removeIfThere(fs, 'leftover-remove', join(directory, old));
    }
    const content = (to: OpenFile): Promise<void> => copyTail(from, segment.end, size, to);
    await (await createWhole(fs, 'torn-copy', directory, name, content)).close();
    return join(directory, name);
  } finally {
    await from.close();
  }
}

async function copyTail(from: OpenFile, start: number, end: number, to: OpenFile): Promise<void> {
  const buffer = Buffer.allocUnsafe(COPY_BYTES);
  for (let at = start; at < end; ) {
    const count = await from.read(buffer, 0, buffer.length, at);
    if (count === 0) break;
    await writeFully(to, 'torn-copy-write', buffer, count, at - start);
    at += count;
  }
}
