/** Two PostgreSQL servers: a primary that acknowledges only what its synchronous standby has, too. */
import { execFile } from 'node:child_process';
import { appendFile, chown, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Part, PartOptions } from './part.ts';
import type { Owner } from './programs.ts';
import { ClusterFailed } from './trouble.ts';

const run = promisify(execFile);
/** In the folder of the cluster. */
export const PASSWORD_FILE = 'password';
const READY_MS = 60_000;
export const PG_CLUSTER_USER = 'rosterd';
const SETTINGS = `
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
wal_level = replica
hot_standby = on
synchronous_commit = on
# Any standby that follows. It is written on both servers: after a failover, the new primary waits for a standby, too.
synchronous_standby_names = '*'
`;

export interface ServerPlace {
  readonly name: string;
  readonly data: string;
  readonly port: number;
}

export interface PostgresPlan {
  /** The folder of its programs. */
  readonly bin: string;
  readonly folder: string;
  readonly password: string;
  readonly owner: Owner | undefined;
  readonly stop: AbortSignal;
  start(part: Pick<PartOptions, 'name' | 'command' | 'owner' | 'stopSignal'>): Part;
}

/** Makes and starts the primary. Throws ClusterFailed. */
export async function startPrimary(plan: PostgresPlan, place: ServerPlace): Promise<Part> {
  const passwordFile = join(plan.folder, PASSWORD_FILE);
  await writeFile(passwordFile, plan.password, { mode: 0o600 });
  if (plan.owner !== undefined) await chown(passwordFile, plan.owner.uid, plan.owner.gid);
  const auth = ['-U', PG_CLUSTER_USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
  await program(plan, 'initdb', ['-D', place.data, ...auth, '--encoding=UTF8', '--locale=C', '--no-sync']);
  await appendFile(join(place.data, 'postgresql.conf'), SETTINGS);
  return await startServer(plan, place, 'select not pg_is_in_recovery() as holds');
}

/** Copies the primary, over what is there, and starts the copy as its standby. Resolves when it is synchronous. Throws ClusterFailed. */
export async function startStandby(plan: PostgresPlan, primary: ServerPlace, place: ServerPlace): Promise<Part> {
  const from = `host=127.0.0.1 port=${primary.port} user=${PG_CLUSTER_USER} application_name=${place.name}`;
  await rm(place.data, { recursive: true, force: true });
  await program(plan, 'pg_basebackup', ['-D', place.data, '-d', from, '--write-recovery-conf', '--wal-method=stream', '--checkpoint=fast']);
  const part = await startServer(plan, place, 'select pg_is_in_recovery() as holds');
  const isSynchronous = "select exists (select from pg_stat_replication where sync_state in ('sync', 'quorum')) as holds";
  await part.ready(() => holds(plan, primary, isSynchronous), READY_MS, plan.stop);
  return part;
}

/** Of both, so that the nodes follow a failover. */
export function databaseUrl(password: string, places: readonly ServerPlace[]): string {
  return `postgres://${PG_CLUSTER_USER}:${password}@${places.map(({ port }) => `127.0.0.1:${port}`).join(',')}/postgres`;
}

/** Whether it is up and not a standby. */
export async function isPrimary(plan: PostgresPlan, place: ServerPlace): Promise<boolean> {
  return await holds(plan, place, 'select not pg_is_in_recovery() as holds').catch(() => false);
}

async function startServer(plan: PostgresPlan, place: ServerPlace, isUp: string): Promise<Part> {
  const part = plan.start({
    name: place.name,
    command: [join(plan.bin, 'postgres'), '-D', place.data, '-c', `port=${place.port}`, '-c', `cluster_name=${place.name}`],
    owner: plan.owner,
    stopSignal: 'SIGINT',
  });
  await part.ready(() => holds(plan, place, isUp), READY_MS, plan.stop);
  return part;
}

async function holds({ password }: PostgresPlan, { port }: ServerPlace, sql: string): Promise<boolean> {
  const { Client } = await import('pg');
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: PG_CLUSTER_USER,
    password,
    database: 'postgres',
    connectionTimeoutMillis: 2_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query(sql)).rows[0]?.holds === true;
  } finally {
    await client.end().catch(() => {});
  }
}

async function program({ bin, folder, password, owner, stop }: PostgresPlan, name: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, PGPASSWORD: password };
  try {
    await run(join(bin, name), [...args], { cwd: folder, env, ...owner, signal: stop });
  } catch (error) {
    stop.throwIfAborted();
    throw new ClusterFailed(`${name} failed: ${error instanceof Error ? error.message.trim() : String(error)}`);
  }
}
