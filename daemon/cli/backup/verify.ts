/** `rosterd verify`: is it whole, and what does it hold? For a backup, a data directory, a database, or a running daemon. */
import { resolve } from 'node:path';
import { errorText } from '../../../protocol/base/errors.ts';
import { kindOfLine } from '../../../protocol/log/directory-line.ts';
import { type DirectoryFacts, FactCounter } from '../../../store/backup/facts.ts';
import { checkBackup } from '../../../store/backup/file.ts';
import { type DamagedFile, type Inspected, inspectFiles } from '../../../store/backup/inspect.ts';
import type { StoreEvent } from '../../../store/events.ts';
import { fileChunks } from '../../../store/file-system.ts';
import { LogDamaged } from '../../../store/log.ts';
import { nodeFileSystem } from '../../../store/node-file-system.ts';
import { StoredHistory } from '../../../store/postgres/offline/history.ts';
import type { Directory } from '../../core/directory/directory.ts';
import type { ClientSettings } from '../client-options.ts';
import { ConfigError } from '../config/config.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { serverToken } from '../token.ts';
import { download } from './download.ts';
import { backupFacts, factsOf, printFacts } from './facts-text.ts';
import { type Replayed, replay, replayDatabase, whileLocked } from './offline.ts';
import type { PlaceFlags } from './place.ts';
import { checkSource } from './restore.ts';

export interface VerifyFlags extends PlaceFlags {
  readonly url?: string;
  readonly timeout: number;
  readonly json?: true;
}

export type VerifyTarget =
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'data'; readonly data: string }
  | { readonly kind: 'log'; readonly log: string; readonly app: string | undefined }
  | { readonly kind: 'daemon'; readonly url: string; readonly settings: ClientSettings };

/** Resolves with the exit code. Rejects with ConfigError for targets that cannot be checked. */
export async function verify(target: VerifyTarget, { json, timeout }: VerifyFlags, io: CommandIo): Promise<number> {
  try {
    if (target.kind === 'data') return await whileLocked(target.data, () => verifyData(target.data, json === true, io));
    if (target.kind === 'log')
      return await StoredHistory.read(target.log, target.app, (history) => verifyDatabase(history, json === true, io));
    const summary = target.kind === 'file' ? await verifyFile(target.file, io) : await verifyDaemon(target, timeout, io);
    printFacts(io, backupFacts(summary), json === true);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    io.stderr.write(`rosterd: ${errorText(error)}\n`);
    return EXIT.failed;
  }
}

async function verifyFile(file: string, io: CommandIo) {
  if (file === '-') return await checkBackup(io.stdin, 'stdin');
  const path = resolve(io.cwd, file);
  await checkSource(path);
  return await checkBackup(fileChunks(path, nodeFileSystem), path);
}

async function verifyDaemon({ url, settings: { credentials } }: VerifyTarget & { kind: 'daemon' }, silenceMs: number, io: CommandIo) {
  const stop = new AbortController();
  const undo = io.onInterrupt(() => stop.abort(new Error('interrupted')));
  const token = serverToken(credentials.apiSecret);
  const chunks = download({ url, apiKey: credentials.apiKey, token, isCompressed: false, silenceMs, signal: stop.signal });
  return await checkBackup(chunks, `the directory of ${url}`).finally(undo);
}

/** Checks every file, also after the first damage, and then what a start would load from them. */
async function verifyData(data: string, json: boolean, io: CommandIo): Promise<number> {
  const inspected = await inspectFiles(data);
  const opened = await replay(data).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  const damaged = damageIn(inspected, opened);
  for (const { file, offset, reason } of damaged) {
    io.stderr.write(`rosterd: ${file} is damaged${offset === undefined ? '' : ` at offset ${offset}`}: ${reason}\n`);
  }
  if (opened instanceof Error) {
    io.stderr.write(`rosterd: a daemon would not start: ${opened.message}\n`);
    return EXIT.failed;
  }
  for (const event of opened.events) tell(event, io);
  const { segments, snapshots, bytes } = inspected;
  const { directory } = opened;
  const facts = { ...countedFacts(directory), position: directory.position };
  printFacts(io, [...factsOf(facts), ['segments', segments], ['snapshots', snapshots], ['bytes', bytes]], json);
  return damaged.length === 0 ? EXIT.ok : EXIT.failed;
}

/** Checks every entry and snapshot, also after the first damage, and then what a daemon would load from them. */
async function verifyDatabase(history: StoredHistory, json: boolean, io: CommandIo): Promise<number> {
  const damaged = await history.damage();
  for (const { place, seq, reason } of damaged)
    io.stderr.write(`rosterd: ${place} is damaged${seq === undefined ? '' : ` at position ${seq}`}: ${reason}\n`);
  const directory = await replayDatabase(history).catch((error: unknown) => {
    io.stderr.write(`rosterd: a daemon would not start: ${errorText(error)}\n`);
    return undefined;
  });
  if (directory === undefined) return EXIT.failed;
  const facts = { ...countedFacts(directory), position: history.head };
  printFacts(
    io,
    [['application', history.app], ...factsOf(facts), ['kept_after', history.tail], ['snapshots', history.snapshotCount]],
    json,
  );
  return damaged.length === 0 ? EXIT.ok : EXIT.failed;
}

/** A torn write at the end of the last segment is no damage when recovery accepts it. */
function damageIn({ damaged }: Inspected, opened: Replayed | Error): readonly DamagedFile[] {
  if (!(opened instanceof Error)) {
    const torn = opened.events.flatMap((event) => (event.type === 'torn-tail-dropped' ? [event.file] : []));
    return damaged.filter(({ file }) => !torn.includes(file));
  }
  // Damage that no single file shows: a missing segment, a journal that does not belong to its snapshot.
  const isNew = opened instanceof LogDamaged && !damaged.some(({ file }) => file === opened.file);
  return isNew ? [opened, ...damaged] : damaged;
}

function tell(event: StoreEvent, io: CommandIo): void {
  if (event.type !== 'torn-tail-dropped') return;
  io.stderr.write(
    `rosterd: ${event.file} ends in a write that was cut short, which is no damage: the next start drops ${event.bytes} bytes from offset ${event.offset} on\n`,
  );
}

function countedFacts(directory: Directory): DirectoryFacts {
  const counter = new FactCounter();
  const view = directory.freeze();
  for (const line of view.lines()) {
    const kind = kindOfLine(line);
    if (kind !== undefined) counter.add(kind);
  }
  view.release();
  return counter.facts;
}
