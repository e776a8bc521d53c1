/** A PostgreSQL of its own in a temporary directory: no network, no password, gone afterwards. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chown, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { postgresOwner } from '../../../daemon/cli/cluster/programs.ts';

const run = promisify(execFile);
/** After this many looks for the template, a tenth of a second apart, its maker is taken to have failed. */
const TEMPLATE_LOOKS = 300;

export interface Postgres {
  readonly port: number;
  /** `postgres://user@127.0.0.1:port/postgres`, of a user with a password. */
  readonly url: string;
  /** Runs SQL as the owner of everything. */
  sql(text: string): Promise<string>;
  /** The same in another database of the server. */
  in(database: string, text: string): Promise<string>;
  /** Kills all of its processes at once, as a power cut would, without a goodbye. */
  kill(): Promise<void>;
  /** Starts it again after `kill`. */
  start(): Promise<void>;
  /** Makes it a standby that nobody feeds. */
  standBy(): Promise<void>;
  /** Makes the standby a primary again: another timeline begins, as after a failover. */
  promote(): Promise<void>;
  /** Ends it and removes everything. */
  stop(): Promise<void>;
}

export const PG_USER = 'reader';
export const PG_PASSWORD = 'p@ss w:rd';

/** It must not run as root, so as root it runs as the user postgres. */
export async function startPostgres(bin: string): Promise<Postgres> {
  const owner = await postgresOwner();
  const directory = await mkdtemp(join(tmpdir(), 'rosterd-pg-'));
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
  const as = async (command: string, args: readonly string[]): Promise<string> => {
    return (await run(join(bin, command), [...args], { cwd: directory, ...owner })).stdout;
  };
  const port = await freePort();
  const data = join(directory, 'data');
  const auth = ['--auth-local=trust', '--auth-host=scram-sha-256'];
  await fromTemplate(data, () => as('initdb', ['-D', data, '-U', 'owner', ...auth, '--encoding=UTF8', '--locale=C', '--no-sync']));
  const options = `-c listen_addresses=127.0.0.1 -c port=${port} -c unix_socket_directories=${directory} -c fsync=off`;
  // The server keeps what it inherits: with a pipe for its output, nobody would see the end of the command that started it.
  const start = async () => {
    await as('pg_ctl', ['-D', data, '-w', '-l', join(directory, 'log'), '-o', options, 'start']);
  };
  await start();
  const kill = async () => {
    const [pid = ''] = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
    const children = (await run('ps', ['-o', 'pid=', '--ppid', pid])).stdout.split('\n').filter((line) => line.trim() !== '');
    for (const one of [pid, ...children]) killIfThere(Number(one));
    while ([pid, ...children].some((one) => isThere(Number(one)))) await new Promise((resolve) => setTimeout(resolve, 20));
    // Where nobody buries the dead, their locks look like those of the living.
    for (const lock of [join(data, 'postmaster.pid'), join(directory, `.s.PGSQL.${port}.lock`)]) await rm(lock, { force: true });
  };
  const standBy = async () => {
    await as('pg_ctl', ['-D', data, '-m', 'fast', '-w', 'stop']);
    await writeFile(join(data, 'standby.signal'), '');
    await start();
  };
  const promote = async () => {
    await as('pg_ctl', ['-D', data, '-w', 'promote']);
  };
  const stop = async () => {
    await as('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']);
    await rm(directory, { recursive: true, force: true });
  };
  const inDatabase = (database: string, text: string) => answerOf({ host: directory, port, user: 'owner', database }, text);
  const sql = (text: string) => inDatabase('postgres', text);
  await sql(`create role ${PG_USER} login password '${PG_PASSWORD}'`);
  await sql(`grant all on schema public to ${PG_USER}`);
  return { port, url: `postgres://${PG_USER}@127.0.0.1:${port}/postgres`, sql, in: inDatabase, kill, start, standBy, promote, stop };
}

/** What `psql -qAt` would print, without a process for each question. */
async function answerOf(where: pg.ClientConfig, text: string): Promise<string> {
  const client = new pg.Client({ ...where, types: { getTypeParser: () => (value: string) => value } });
  // It also emits why it ended, which the query has rejected with.
  client.on('error', () => {});
  await client.connect();
  try {
    const results = [await client.query({ text, rowMode: 'array' })].flat();
    return results.flatMap(({ rows }) => rows.map((row: unknown[]) => `${row.map((value) => value ?? '').join('|')}\n`)).join('');
  } finally {
    await client.end();
  }
}

/** In a run of many test files, the first one initializes its data for all: that takes longer than copying it. */
export async function fromTemplate(data: string, initialize: () => Promise<unknown>): Promise<void> {
  const folder = process.env.ROSTERD_TEST_BUILD;
  if (folder === undefined) return void (await initialize());
  const template = join(folder, 'postgres');
  const isFirst = await mkdir(`${template}.making`).then(
    () => true,
    () => false,
  );
  if (isFirst) {
    await initialize();
    await run('cp', ['-a', data, `${template}.part`]);
    return await rename(`${template}.part`, template);
  }
  for (let patience = 0; (await stat(template).catch(() => undefined)) === undefined; patience++) {
    if (patience === TEMPLATE_LOOKS) return void (await initialize());
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await run('cp', ['-a', template, data]);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** A zombie whose parent has not asked for it yet is gone. */
export function isThere(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
