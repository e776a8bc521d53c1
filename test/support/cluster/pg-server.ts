/** A PostgreSQL server as one of a pair: primary or standby, killed, frozen, promoted, and made again as a standby of the other. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { type Owner, postgresOwner } from '../../../daemon/cli/cluster/programs.ts';
import { eventually } from '../eventually.ts';
import { fromTemplate, isThere } from '../sync/postgres.ts';
import type { Reaper } from './reaper.ts';

const run = promisify(execFile);

export class PgServer {
  readonly name: string;
  readonly port: number;
  readonly #bin: string;
  readonly #directory: string;
  readonly #reaper: Reaper;
  readonly #owner: Owner | undefined;
  #process: ChildProcess | undefined;

  /** `bin`: where initdb is. Nothing runs yet. */
  static async make(bin: string, directory: string, name: string, reaper: Reaper): Promise<PgServer> {
    await mkdir(join(directory, name), { recursive: true });
    const owner = await postgresOwner();
    if (owner !== undefined) for (const path of [directory, join(directory, name)]) await chown(path, owner.uid, owner.gid);
    return new PgServer(bin, join(directory, name), name, reaper, owner, await freePort());
  }

  private constructor(bin: string, directory: string, name: string, reaper: Reaper, owner: Owner | undefined, port: number) {
    this.#bin = bin;
    this.#directory = directory;
    this.name = name;
    this.#reaper = reaper;
    this.#owner = owner;
    this.port = port;
  }

  get #data(): string {
    return join(this.#directory, 'data');
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** An empty database. */
  async initialize(): Promise<void> {
    const auth = ['--auth-local=trust', '--auth-host=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
    await fromTemplate(this.#data, () => this.#tool('initdb', ['-D', this.#data, '-U', 'owner', ...auth]));
  }

  /** A standby of `primary`, from a copy of everything that it has. */
  async copyOf(primary: PgServer): Promise<void> {
    await this.kill();
    await rm(this.#data, { recursive: true, force: true });
    const from = ['-h', primary.#directory, '-p', String(primary.port), '-U', 'owner'];
    await this.#tool('pg_basebackup', [...from, '-D', this.#data, '-R', '-X', 'stream', '-c', 'fast', '--no-sync']);
  }

  /** Resolves when it answers. It asks for a synchronous standby whenever it is a primary. */
  async start(): Promise<void> {
    const settings = {
      listen_addresses: '127.0.0.1',
      port: this.port,
      unix_socket_directories: this.#directory,
      fsync: 'off',
      cluster_name: this.name,
      synchronous_standby_names: '*',
      wal_keep_size: '256MB',
      max_connections: 200,
      shared_buffers: '32MB',
      wal_receiver_status_interval: '1s',
      wal_retrieve_retry_interval: '100ms',
    };
    const log = await open(join(this.#directory, 'log'), 'a');
    const options = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
    const child = spawn(join(this.#bin, 'postgres'), ['-D', this.#data, ...options], {
      ...this.#owner,
      stdio: ['ignore', log.fd, log.fd],
      cwd: this.#directory,
    });
    this.#process = child;
    this.#reaper.watch(child);
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    await log.close();
    let isThere = false;
    const isDecided = async (): Promise<boolean> => {
      isThere = await this.sql('select 1').then(Boolean, () => false);
      return isThere || this.#process === undefined;
    };
    await eventually(isDecided, `${this.name} does not start`);
    if (!isThere) throw new Error(`${this.name} does not start: ${await this.#lastLines()}`);
  }

  async #lastLines(): Promise<string> {
    return (await readFile(join(this.#directory, 'log'), 'utf8')).split('\n').slice(-8).join('\n');
  }

  /** Kills all of its processes at once, as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    const all = this.#pids();
    for (const pid of all) signal(pid, 'SIGKILL');
    await ended;
    while (all.some(isThere)) await delay(10);
    for (const lock of [join(this.#data, 'postmaster.pid'), join(this.#directory, `.s.PGSQL.${this.port}.lock`)])
      await rm(lock, { force: true });
  }

  /** An immediate shutdown: no goodbye to clients, no checkpoint. */
  async stopAtOnce(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGQUIT');
    await ended;
  }

  freeze(): void {
    for (const pid of this.#pids()) signal(pid, 'SIGSTOP');
  }

  thaw(): void {
    for (const pid of this.#pids()) signal(pid, 'SIGCONT');
  }

  /** By the command, as a standby may end any query whose rows the primary has removed, that for its promotion too. */
  async promote(): Promise<void> {
    await this.#tool('pg_ctl', ['-D', this.#data, '-w', 'promote']);
  }

  /** The first value of every row, as the owner of everything, over a connection of its own. */
  async sql(text: string, withinMs = 5_000): Promise<unknown[]> {
    const client = new pg.Client({
      host: this.#directory,
      port: this.port,
      user: 'owner',
      database: 'postgres',
      connectionTimeoutMillis: withinMs,
      query_timeout: withinMs,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query({ text, rowMode: 'array' })).rows.map(([value]) => value);
    } finally {
      await Promise.race([client.end().catch(() => {}), delay(500)]);
      client.connection.stream.destroy();
    }
  }

  #pids(): number[] {
    const pid = this.#process?.pid;
    if (pid === undefined) return [];
    const children = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .filter(([, parent]) => parent === pid)
      .map(([child = 0]) => child);
    return [pid, ...children];
  }

  async #tool(command: string, args: readonly string[]): Promise<void> {
    await run(join(this.#bin, command), [...args], { ...this.#owner, cwd: this.#directory });
  }
}

function signal(pid: number, what: NodeJS.Signals): void {
  try {
    process.kill(pid, what);
  } catch {
    // It has ended meanwhile.
  }
}
