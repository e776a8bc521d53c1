/**
 * Opening a journal after whatever happened: every segment is read and checked, a torn tail is told from damage, and what
 * is found is made durable before anything is built on it. The rules (README, "Recovery") in short:
 *
 * - A bad record in a segment that is not the last one, a missing segment, a foreign epoch or a bad segment header is damage.
 * - A bad record at offset x of the last segment is damage if a later record proves that x was durable, if a snapshot
 *   already covers its seq, or if the journal was closed cleanly. Otherwise it is a torn tail: it and all after it are dropped.
 * - Damage never changes a file. It throws LogDamaged and leaves everything for the operator to look at.
 */
import { randomBytes } from 'node:crypto';
import { basename, join } from 'node:path';
import type { Position } from '../../protocol/base/position.ts';
import type { OnStoreEvent } from '../events.ts';
import {
  type FileSystem,
  listWithoutLeftovers,
  type OpenFile,
  publishWhole,
  removeIfThere,
  TEMPORARY_SUFFIX,
  writeFully,
} from '../file-system.ts';
import { LogDamaged } from '../log.ts';
import { type CleanMarker, readCleanMarker } from './clean-marker.ts';
import { createSegment, type History, type Segment, segmentFirst, segmentName } from './segment.ts';
import { type Bad, findProofOfSync, type Scan, scanSegment } from './segment-scan.ts';

const COPY_BYTES = 1024 * 1024;
const TORN_SUFFIX = '.torn';

export interface RecoveryOptions {
  readonly fs: FileSystem;
  readonly directory: string;
  /** Position of the snapshot that was loaded, if any. */
  readonly snapshot: Position | undefined;
  readonly blockBytes: number;
  readonly onEvent: OnStoreEvent;
}

export interface Recovered {
  readonly history: History;
  /** At least one; the last one is active. */
  readonly segments: Segment[];
  /** The active segment's file, open for writing. */
  readonly file: OpenFile;
  /** True when the marker of a clean close is still there. */
  readonly clean: boolean;
}

/** Opens the journal in `directory`, or begins one. Throws LogDamaged, StoreVersionMismatch, or what the file system throws. */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { fs, directory, snapshot, blockBytes } = options;
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
  for (const first of firsts) {
    const path = join(directory, segmentName(first));
    if (lastScan?.bad !== undefined) throw new LogDamaged(lastScan.segment.path, lastScan.bad.offset, lastScan.bad.reason);
    const file = await fs.openRead(path);
    lastScan = await scanSegment(file, path, blockBytes).finally(() => file.close());
    checkSuccession(segments.at(-1), lastScan.segment);
    segments.push(lastScan.segment);
  }
  const oldest = segments[0];
  if (lastScan === undefined || oldest === undefined) throw new Error('a journal has at least one segment');
  checkSnapshot(oldest, lastScan, snapshot);
  if (marker !== undefined) checkMarker(lastScan, marker);
  const file = await openActive(options, lastScan);
  return { history: lastScan.segment.history, segments, file, clean: marker !== undefined };
}

/** LG8: no journal, so a history begins; where the snapshot ends when there is one. */
async function begin(options: RecoveryOptions): Promise<Recovered> {
  const { fs, directory, snapshot, blockBytes } = options;
  const start = snapshot?.seq ?? 0;
  const history: History = { epoch: randomBytes(12).toString('hex'), start, parent: snapshot?.epoch ?? null };
  const { segment, file } = await createSegment(fs, directory, start + 1, history, blockBytes);
  options.onEvent({ type: 'epoch-started', epoch: history.epoch, after: start });
  return { history, segments: [segment], file, clean: false };
}

function checkSuccession(before: Segment | undefined, next: Segment): void {
  if (before === undefined) return;
  if (next.history.epoch !== before.history.epoch) {
    throw new LogDamaged(next.path, 0, `it belongs to epoch ${next.history.epoch}, the segment before it to ${before.history.epoch}`);
  }
  if (next.first !== before.last + 1) {
    throw new LogDamaged(before.path, before.end, `the next segment begins with seq ${next.first}, but this one ends with ${before.last}`);
  }
}

/** The snapshot and the journal must belong together and leave nothing out between them. */
function checkSnapshot(oldest: Segment, last: Scan, snapshot: Position | undefined): void {
  const { history, path, end } = last.segment;
  const covered = snapshot?.seq ?? 0;
  const fresh = snapshot !== undefined && snapshot.epoch === history.parent && snapshot.seq === history.start;
  if (snapshot !== undefined && snapshot.epoch !== history.epoch && !fresh) {
    throw new LogDamaged(
      path,
      0,
      `the journal has epoch ${history.epoch}, but the snapshot has ${snapshot.epoch}: they do not belong together`,
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
    marker.epoch === segment.history.epoch;
  if (same) return;
  const was = `${marker.segment} with ${marker.bytes} bytes and seq ${marker.seq}`;
  throw new LogDamaged(
    segment.path,
    Math.min(size, marker.bytes),
    `the journal was closed cleanly at ${was}, but ends with ${size} bytes and seq ${segment.last}`,
  );
}

/**
 * Opens the last segment for writing. What a killed process wrote may lie only in the page cache, and so may the name of
 * the segment: both are made durable now, because from here on they are served and built upon.
 */
async function openActive(options: RecoveryOptions, scan: Scan): Promise<OpenFile> {
  const { fs, directory } = options;
  const file = await fs.openWrite(scan.segment.path);
  try {
    if (scan.bad !== undefined) await dropTornTail(options, file, scan, scan.bad);
    await file.datasync('recovery-sync');
    await fs.syncDirectory('recovery-directory-sync', directory);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function dropTornTail(options: RecoveryOptions, file: OpenFile, scan: Scan, bad: Bad): Promise<void> {
  const { path, end } = scan.segment;
  const proof = await findProofOfSync(file, scan, bad);
  if (proof !== undefined) throw new LogDamaged(path, bad.offset, `${bad.reason}; the record at ${proof} proves that it was durable`);
  const copy = await keepCopy(options, file, scan);
  await file.truncate('recovery-truncate', end);
  options.onEvent({ type: 'torn-tail-dropped', file: path, offset: bad.offset, bytes: scan.size - end, copy });
}

/**
 * The dropped bytes are kept in `<segment>.torn`: a bit flip in the very last record looks like a torn write, and then this
 * is the only copy of an acknowledged entry. Only the newest such file is kept, so that a crash loop cannot fill the disk.
 */
async function keepCopy(options: RecoveryOptions, from: OpenFile, scan: Scan): Promise<string> {
  const { fs, directory } = options;
  const name = basename(scan.segment.path) + TORN_SUFFIX;
  for (const old of await fs.list(directory)) {
    if (old.endsWith(TORN_SUFFIX) && old !== name) await removeIfThere(fs, 'leftover-remove', join(directory, old));
  }
  const to = await fs.create('torn-copy-create', join(directory, name + TEMPORARY_SUFFIX));
  try {
    const buffer = Buffer.allocUnsafe(COPY_BYTES);
    for (let at = scan.segment.end; at < scan.size; ) {
      const count = await from.read(buffer, 0, buffer.length, at);
      if (count === 0) break;
      await writeFully(to, 'torn-copy-write', buffer, count, at - scan.segment.end);
      at += count;
    }
    await publishWhole(fs, 'torn-copy', to, directory, name);
  } finally {
    await to.close();
  }
  return join(directory, name);
}
