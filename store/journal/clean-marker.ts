/**
 * The marker of a clean close: `clean` in the journal directory says where the journal ended.
 *
 * While it exists, nothing was written after the close, so there can be no torn tail: the journal must end exactly
 * where the marker says, and any difference is damage. It is removed, durably, before the first write after reopening.
 */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { isObject } from '../../protocol/base/json.ts';
import { createWhole, type FileSystem, readFully, removeDurably } from '../file-system.ts';
import { LogDamaged } from '../log.ts';

const NAME = 'clean';
const BYTES_MAX = 4096;

export interface CleanMarker {
  readonly epoch: string;
  /** Seq of the last fact. */
  readonly seq: number;
  /** File name of the last segment, and its size. */
  readonly segment: string;
  readonly bytes: number;
}

export async function writeCleanMarker(fs: FileSystem, directory: string, marker: CleanMarker): Promise<void> {
  const text = JSON.stringify(marker);
  const file = await createWhole(fs, 'clean', directory, NAME, Buffer.from(`${text}\n${crc32(text)}\n`));
  await file.close();
}

/** Durably removes the marker, if it exists. */
export function removeCleanMarker(fs: FileSystem, directory: string): Promise<void> {
  return removeDurably(fs, 'clean-remove', directory, NAME);
}

/** The marker, or undefined when the journal was not closed cleanly. Throws LogDamaged when it cannot be trusted. */
export async function readCleanMarker(fs: FileSystem, directory: string, names: readonly string[]): Promise<CleanMarker | undefined> {
  if (!names.includes(NAME)) return undefined;
  const path = join(directory, NAME);
  const file = await fs.openRead(path);
  const buffer = Buffer.alloc(BYTES_MAX);
  const bytes = await readFully(file, buffer, BYTES_MAX, 0).finally(() => file.close());
  const marker = parse(buffer.toString('utf8', 0, bytes));
  // The marker gets its name only when it is whole, so a crash cannot have torn it.
  if (marker === undefined) throw new LogDamaged(path, 0, 'the marker of the clean close does not match its checksum');
  return marker;
}

function parse(text: string): CleanMarker | undefined {
  const [json, crc, rest, ...more] = text.split('\n');
  if (json === undefined || rest !== '' || more.length > 0 || crc !== String(crc32(json))) return undefined;
  const value: unknown = JSON.parse(json);
  if (!isObject(value)) return undefined;
  const { epoch, seq, segment, bytes } = value;
  if (typeof epoch !== 'string' || typeof seq !== 'number' || typeof segment !== 'string' || typeof bytes !== 'number') return undefined;
  return { epoch, seq, segment, bytes };
}
