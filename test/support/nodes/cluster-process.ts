/** `rosterd cluster` as an operator runs it, and what its greeting says. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { findPostgres, findProgram } from '../../../daemon/cli/cluster/programs.ts';
import { eventually } from '../eventually.ts';
import { RosterdProcess } from '../process.ts';

const [postgres, haproxy, nginx] = [await findPostgres(), await findProgram('haproxy'), await findProgram('nginx')];
const missing = (name: string) => ({ skip: `THERE IS NO ${name} ON THIS MACHINE` });
/** For every test that needs a whole cluster. */
export const clusterOptions =
  postgres === undefined ? missing('POSTGRESQL') : haproxy === undefined ? missing('HAPROXY') : { timeout: 180_000 };
/** For every test that needs nginx before a cluster. */
export const nginxOptions = nginx === undefined ? missing('NGINX') : clusterOptions;

/** For every test that needs nginx alone. */
export const nginxAloneOptions = nginx === undefined ? missing('NGINX') : {};

const READY_MS = 120_000;
const END = 'Ctrl-C ends everything\n';

/** A test, or whatever else says when it is over. */
export interface Ending {
  after(end: () => Promise<unknown>): void;
}

export class ClusterProcess {
  readonly process: RosterdProcess;
  /** Where temporary folders of the cluster are. */
  readonly place: string;

  private constructor(process: RosterdProcess, place: string) {
    this.process = process;
    this.place = place;
  }

  /** Resolves when it runs. `flags`: beside the port. */
  static async start(t: Ending, ...flags: string[]): Promise<ClusterProcess> {
    // PostgreSQL runs as another user, who must be able to come here.
    const place = await mkdtemp(join(tmpdir(), 'rosterd-clusters-'));
    await promisify(execFile)('chmod', ['711', place]);
    const port = String(await freePort());
    // This setting would keep any daemon from starting.
    const env = { TMPDIR: place, ROSTERD_LISTEN: 'nowhere' };
    const cluster = new ClusterProcess(RosterdProcess.run(['cluster', '--port', port, ...flags], { env }), place);
    t.after(async () => {
      await cluster.process.kill('SIGINT');
      await rm(place, { recursive: true, force: true });
    });
    let isOver = false;
    void cluster.process.finished.then(() => {
      isOver = true;
    });
    await eventually(
      () => isOver || cluster.process.stdout.endsWith(END),
      () => cluster.process.stderr,
      READY_MS,
    );
    if (isOver) throw new Error(cluster.process.stderr);
    return cluster;
  }

  get url(): string {
    return this.#find(/listens on (\S+)/);
  }

  get nodeUrls(): string[] {
    return this.#find(/HAProxy before ([^)]+)/).split(', ');
  }

  get metricsUrls(): string[] {
    return [...this.process.stdout.matchAll(/^ {2}curl -s (\S+\/metrics)$/gm)].flatMap(([, url]) => url ?? []);
  }

  get folder(): string {
    return this.#find(/secret: in (\S+)\/credentials\.json/);
  }

  get apiKey(): string {
    return this.#find(/API key: (\S+)/);
  }

  async apiSecret(): Promise<string> {
    return JSON.parse(await readFile(join(this.folder, 'credentials.json'), 'utf8')).api_secret;
  }

  /** The one that it has now. */
  pid(part: string): number {
    const later = [...this.process.stderr.matchAll(new RegExp(`^rosterd: ${part} runs again \\(pid (\\d+)\\)$`, 'gm'))].at(-1)?.[1];
    return Number(later ?? this.#find(new RegExp(`^  ${part} +pid (\\d+)`, 'm')));
  }

  /** Ends these parts by the signal. Resolves when they are reported. */
  async end(signal: NodeJS.Signals, parts: readonly string[]): Promise<void> {
    const pids = parts.map((part) => [part, this.pid(part)] as const);
    for (const [, pid] of pids) process.kill(pid, signal);
    for (const [part, pid] of pids) await this.says(`${part} (pid ${pid}) has ended: `);
  }

  /** Resolves when these parts, which are dead, run again. */
  async revive(parts: readonly string[]): Promise<void> {
    const before = parts.map((part) => [part, this.pid(part)] as const);
    process.kill(this.process.child.pid ?? 0, 'SIGUSR2');
    await eventually(
      () => before.every(([part, pid]) => this.pid(part) !== pid),
      () => this.process.stderr,
      READY_MS,
    );
  }

  /** Of all parts that ever ran. */
  get pids(): number[] {
    const { stdout, stderr } = this.process;
    const found = [...stdout.matchAll(/^ {2}\S+ +pid (\d+)/gm), ...stderr.matchAll(/ runs again \(pid (\d+)\)$/gm)];
    return found.map(([, pid]) => Number(pid));
  }

  /** Runs the command that it prints for letting the standby take over. */
  async promote(): Promise<void> {
    const [file = '', ...args] = this.#find(/^ {2}(.*pg_ctl .*)$/m).split(' ');
    await promisify(execFile)(file, args);
  }

  async says(text: string | RegExp): Promise<void> {
    const found = (): boolean => (typeof text === 'string' ? this.process.stderr.includes(text) : text.test(this.process.stderr));
    await eventually(found, () => `not said: ${text}\n${this.process.stderr}`, 60_000);
  }

  /** Folders and files in its place. tsx has a folder of its own there. */
  async left(): Promise<string[]> {
    return (await readdir(this.place)).filter((name) => !name.startsWith('tsx-'));
  }

  #find(pattern: RegExp): string {
    const found = pattern.exec(this.process.stdout)?.[1];
    if (found === undefined) throw new Error(`the greeting lacks ${pattern}:\n${this.process.stdout}`);
    return found;
  }
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
