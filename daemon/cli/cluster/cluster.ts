/**
 * Several nodes on a PostgreSQL with a synchronous standby, behind HAProxy where it is installed: every part a process of its own on
 * 127.0.0.1. Parts start one after the other and end in the reverse order. A part that dies is reported and stays away until it is
 * asked for: the primary must not come back by itself once its standby has taken over.
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Credentials } from '../config/credentials.ts';
import type { CommandIo } from '../io.ts';
import { ownCommand, withoutSettings } from '../own-command.ts';
import type { Guard } from './folder.ts';
import { freePort } from './free-port.ts';
import { Part, type PartOptions } from './part.ts';
import { databaseUrl, isPrimary, type PostgresPlan, type ServerPlace, startPrimary, startStandby } from './postgres.ts';
import type { Owner } from './programs.ts';
import { haproxyConfig } from './proxy.ts';
import { ClusterFailed } from './trouble.ts';

const READY_MS = 60_000;
const STOP_MS = 15_000;
const PROXY = 'haproxy';

export interface ClusterOptions {
  readonly folder: string;
  readonly credentials: Credentials;
  readonly nodes: number;
  /** Where the proxy listens. */
  readonly listen: { readonly host: string; readonly port: number };
  /** The folder of PostgreSQL's programs. */
  readonly postgres: string;
  readonly owner: Owner | undefined;
  /** The file of HAProxy; undefined without a proxy. */
  readonly haproxy: string | undefined;
  readonly env: CommandIo['env'];
  readonly guard: Guard;
  /** Ends every wait. */
  readonly stop: AbortSignal;
  readonly onTalk: (text: string) => void;
}

interface NodePlace {
  readonly name: string;
  readonly address: string;
  readonly metrics: string;
}

export class Cluster {
  readonly #options: ClusterOptions;
  readonly #plan: PostgresPlan;
  readonly #servers: readonly [ServerPlace, ServerPlace];
  readonly #nodes: readonly NodePlace[];
  /** In the order of their start, by name. */
  readonly #parts = new Map<string, Part>();

  private constructor(options: ClusterOptions, [first = 0, second = 0, ...ports]: readonly number[]) {
    this.#options = options;
    const { folder, owner, stop, postgres } = options;
    const password = randomBytes(16).toString('hex');
    this.#plan = { bin: postgres, folder, password, owner, stop, start: (part) => this.#start(part) };
    const server = (name: string, port: number): ServerPlace => ({ name, port, data: join(folder, name) });
    this.#servers = [server('postgres-a', first), server('postgres-b', second)];
    const at = (port: number | undefined): string => `127.0.0.1:${port}`;
    const nodes = ports.slice(0, options.nodes);
    this.#nodes = nodes.map((port, n) => ({ name: `node-${n + 1}`, address: at(port), metrics: at(ports[options.nodes + n]) }));
  }

  /** Resolves when every part is ready. Throws ClusterFailed, or the reason of `stop`; what was started then still runs. */
  static async plan(options: ClusterOptions): Promise<Cluster> {
    const ports: number[] = [];
    while (ports.length < 2 * options.nodes + 2) ports.push(...[await freePort()].filter((port) => !ports.includes(port)));
    return new Cluster(options, ports);
  }

  get parts(): readonly Part[] {
    return [...this.#parts.values()];
  }

  get servers(): readonly [ServerPlace, ServerPlace] {
    return this.#servers;
  }

  get nodeUrls(): readonly string[] {
    return this.#nodes.map(({ address }) => `http://${address}`);
  }

  get metricsUrls(): readonly string[] {
    return this.#nodes.map(({ metrics }) => `http://${metrics}/metrics`);
  }

  /** Where clients connect: the proxy; without one, the nodes, comma-separated. */
  get url(): string {
    return this.#options.haproxy === undefined ? this.nodeUrls.join(',') : `http://${this.#listen}`;
  }

  get #listen(): string {
    const { host, port } = this.#options.listen;
    return `${host}:${port}`;
  }

  /** Resolves when every part is ready. Throws ClusterFailed, or the reason of `stop`; what was started then still runs. */
  async start(): Promise<void> {
    const { onTalk } = this.#options;
    const [primary, standby] = this.#servers;
    onTalk('starting PostgreSQL: a primary and its synchronous standby');
    await startPrimary(this.#plan, primary);
    await startStandby(this.#plan, primary, standby);
    onTalk(`starting ${this.#nodes.length} nodes`);
    // One after the other: the first one makes the tables.
    for (const node of this.#nodes) await this.#startNode(node);
    if (this.#options.haproxy !== undefined) await this.#startProxy(this.#options.haproxy);
  }

  /** Starts the parts again that have died; a database server as the standby of the one that is the primary now. Throws like `start`. */
  async revive(): Promise<void> {
    const { onTalk, haproxy } = this.#options;
    const dead = this.parts.filter(({ ending }) => ending !== undefined).map(({ name }) => name);
    if (dead.length === 0) onTalk('every part runs');
    for (const place of this.#servers) if (dead.includes(place.name)) await this.#reviveServer(place);
    for (const node of this.#nodes) if (dead.includes(node.name)) await this.#startNode(node);
    if (haproxy !== undefined && dead.includes(PROXY)) await this.#startProxy(haproxy);
    for (const { name, pid } of this.parts) if (dead.includes(name)) onTalk(`${name} runs again (pid ${pid})`);
  }

  /** Ends every part in the reverse order of its start: the nodes together, the primary before its standby, which it then needs no more. */
  async stop(): Promise<void> {
    const [servers, others] = [this.#servers.map(({ name }) => name), this.parts.map(({ name }) => name)];
    const nodes = others.filter((name) => !servers.includes(name) && name !== PROXY);
    await Promise.all(nodes.map((name) => this.#parts.get(name)?.stop(STOP_MS)));
    await this.#parts.get(PROXY)?.stop(STOP_MS);
    for (const name of servers) await this.#parts.get(name)?.stop(STOP_MS);
  }

  /** Ends everything at once. */
  async kill(): Promise<void> {
    for (const part of this.parts) part.kill();
    await Promise.all(this.parts.map((part) => part.stop(0)));
  }

  #start(part: Pick<PartOptions, 'name' | 'command' | 'owner' | 'stopSignal'> & { readonly env?: NodeJS.ProcessEnv }): Part {
    const { folder, env, guard, onTalk } = this.#options;
    const died = ({ name, pid, ending, logFile }: Part): void => {
      guard.gone(pid);
      if (!this.#options.stop.aborted) onTalk(`${name} (pid ${pid}) has ended: ${ending}; its output is in ${logFile}`);
    };
    const started = new Part({ folder, env: withoutSettings(env), died, ...part });
    if (started.pid > 0) guard.add(started.pid);
    this.#parts.set(part.name, started);
    return started;
  }

  async #startNode({ name, address, metrics }: NodePlace): Promise<void> {
    const { folder, credentials, env, stop } = this.#options;
    const settings = {
      ROSTERD_LOG: databaseUrl(this.#plan.password, this.#servers),
      ROSTERD_API_KEY: credentials.apiKey,
      ROSTERD_API_SECRET: credentials.apiSecret,
      ROSTERD_PUBLIC_URL: this.#options.haproxy === undefined ? `http://${address}` : this.url,
    };
    const flags = ['--listen', address, '--metrics-listen', metrics, '--node-name', name, '--data', join(folder, name)];
    const [file, ...args] = ownCommand();
    const part = this.#start({
      name,
      command: [file, ...args, 'serve', ...flags],
      env: { ...withoutSettings(env), ...settings },
      stopSignal: 'SIGTERM',
    });
    await part.ready(() => isReady(`http://${address}`), READY_MS, stop);
  }

  async #startProxy(file: string): Promise<void> {
    const { folder, stop } = this.#options;
    const config = join(folder, 'haproxy.cfg');
    await writeFile(config, haproxyConfig({ listen: this.#listen, nodes: this.#nodes.map(({ address }) => address) }));
    const part = this.#start({ name: PROXY, command: [file, '-db', '-f', config], stopSignal: 'SIGTERM' });
    await part.ready(() => isReady(this.url), READY_MS, stop);
  }

  async #reviveServer(place: ServerPlace): Promise<void> {
    const other = this.#servers.find((one) => one !== place);
    if (other === undefined || !(await isPrimary(this.#plan, other))) {
      throw new ClusterFailed(`${place.name} stays away: ${other?.name} is not a primary that it could follow. Promote that one first`);
    }
    await startStandby(this.#plan, other, place);
  }
}

async function isReady(url: string): Promise<boolean> {
  return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
}
