/** The programs that a cluster needs and that do not come with rosterd: where they are, and as whom they run. */
import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CommandIo } from '../io.ts';
import { ClusterFailed } from './trouble.ts';

const run = promisify(execFile);
/** Debian has the programs of the server in no folder of the path. */
const DEBIAN = '/usr/lib/postgresql';
const SYSTEM = ['/usr/sbin', '/usr/local/sbin'];

/** The folder of initdb, postgres and pg_basebackup; undefined where there is no PostgreSQL. */
export async function findPostgres(env: CommandIo['env'] = process.env): Promise<string | undefined> {
  const versions = await readdir(DEBIAN).catch(() => []);
  const places = versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(DEBIAN, version, 'bin'));
  return await folderWith('initdb', [...places, ...pathOf(env)]);
}

/** The file of a program; undefined where there is none. */
export async function findProgram(name: string, env: CommandIo['env'] = process.env): Promise<string | undefined> {
  const folder = await folderWith(name, [...pathOf(env), ...SYSTEM]);
  return folder === undefined ? undefined : join(folder, name);
}

async function folderWith(program: string, places: readonly string[]): Promise<string | undefined> {
  for (const place of places) {
    const found = await stat(join(place, program)).catch(() => undefined);
    if (found?.isFile()) return place;
  }
  return undefined;
}

function pathOf({ PATH = '' }: CommandIo['env']): string[] {
  return PATH.split(':').filter((place) => place !== '');
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL must not run as root: as root, it runs as the user postgres. Throws ClusterFailed where there is none. */
export async function postgresOwner(): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)));
    return { uid: uid ?? 0, gid: gid ?? 0 };
  } catch {
    throw new ClusterFailed('PostgreSQL does not run as root, and there is no user postgres as whom it could: start this as another user');
  }
}
