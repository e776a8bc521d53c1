/** The data directory and its disk. Nothing is changed: no file, no mode, no lock. */
import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorText } from '../../../protocol/base/errors.ts';
import { MOVED } from '../../../store/backup/moved.ts';
import { RESTORING } from '../../../store/backup/restore.ts';
import { isMissing } from '../../../store/disk-errors.ts';
import { lockHolder } from '../../../store/lock.ts';
import { freeBytes } from '../../base/free-bytes.ts';
import type { Config } from '../config/settings.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const OTHERS = 0o077;
/** Below this the next snapshot of a small directory may not fit. */
const FREE_BYTES_MIN = 64 * 1024 * 1024;
const UNBOUNDED_HISTORY_BYTES = 1024 ** 3;
const GIB = 1024 ** 3;

type DataConfig = Pick<Config, 'data' | 'log' | 'retentionBytes'>;

export async function dataFindings(config: DataConfig): Promise<readonly Finding[]> {
  const place = await nearestThere(config.data);
  if (place === undefined) return [fail('data', `${config.data} cannot be reached`, 'choose another one with --data')];
  const data = place === config.data ? await directoryFinding(config) : await missingFinding(config.data, place);
  return [data, await diskFinding(config, place)];
}

/** The path itself, or the nearest folder above it that exists. */
async function nearestThere(path: string): Promise<string | undefined> {
  for (let place = path; ; place = dirname(place)) {
    try {
      await stat(place);
      return place;
    } catch (error) {
      if (!isMissing(error) || place === dirname(place)) return undefined;
    }
  }
}

async function missingFinding(data: string, above: string): Promise<Finding> {
  const refused = await refusal(above);
  if (refused === undefined) return ok('data', `${data} is not there yet: the first start makes it`);
  return fail('data', `${data} is not there, and cannot be made in ${above} (${refused})`, `make it, and give it to the user of rosterd`);
}

async function directoryFinding({ data, log }: DataConfig): Promise<Finding> {
  const stats = await stat(data);
  const { uid, mode } = stats;
  const user = process.getuid?.() ?? uid;
  if (!stats.isDirectory()) return fail('data', `${data} is not a directory`, 'choose another one with --data');
  const refused = await refusal(data);
  if (refused !== undefined)
    return fail(
      'data',
      `${data} belongs to user ${uid}, and user ${user} may not use it (${refused})`,
      `run rosterd as user ${uid}, or chown -R ${user} it`,
    );
  const names = await readdir(data);
  if (log === undefined && names.includes(MOVED)) return fail('data', `the history of ${data} goes on in a database`, 'serve with --log');
  if (names.includes(RESTORING)) return fail('data', `a restore into ${data} was begun and not finished`, 'run rosterd restore again');
  const holder = await lockHolder(data);
  const state = holder === undefined ? 'no daemon runs on it' : `process ${holder} runs on it`;
  if (user !== uid)
    return warn(
      'data',
      `${data} belongs to user ${uid}, and this is user ${user}; ${state}`,
      `run rosterd as user ${uid}, whose files it would not have to share`,
    );
  if ((mode & OTHERS) !== 0 && process.platform !== 'win32')
    return warn('data', `other users may look into ${data} (mode ${(mode & 0o777).toString(8)}); ${state}`, `chmod 700 ${data}`);
  return ok('data', `${data}, ${state}`);
}

/** Why this user may not write there; undefined when it may. */
async function refusal(place: string): Promise<string | undefined> {
  try {
    await access(place, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return errorText(error).replace(/, access .*$/s, '');
  }
}

async function diskFinding({ retentionBytes, log }: DataConfig, place: string): Promise<Finding> {
  // Where the history is in a database, the directory is a cache.
  const wanted = log !== undefined ? FREE_BYTES_MIN : retentionBytes === 0 ? UNBOUNDED_HISTORY_BYTES : retentionBytes;
  return judgeDisk(await freeBytes(place), wanted);
}

/** `wanted`: bytes that the history may come to. */
export function judgeDisk(free: number, wanted: number): Finding {
  const found = `${gibibytes(free)} free`;
  if (free < FREE_BYTES_MIN) return fail('disk', found, 'make room: without it, every write is refused');
  if (free < wanted) return warn('disk', found, `the history may come to ${gibibytes(wanted)} (retention_bytes): make room, or lower it`);
  return ok('disk', found);
}

function gibibytes(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}
