/** Several daemons on a pair of PostgreSQL servers, one of which is the synchronous standby of the other: all of them real processes. */
import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { findPostgres } from '../../../daemon/cli/cluster/programs.ts';
import { eventually } from '../eventually.ts';
import type { Ending } from '../nodes/cluster-process.ts';
import { PG_PASSWORD, PG_USER } from '../sync/postgres.ts';
import { API_SECRET } from '../world.ts';
import { ClusterNode } from './node.ts';
import { PgServer } from './pg-server.ts';
import { Reaper } from './reaper.ts';
import { Wire } from './wire.ts';

const bin = await findPostgres();
/** For every test of a cluster. */
export const clusterOptions = bin === undefined ? { skip: 'THERE IS NO POSTGRESQL ON THIS MACHINE (initdb was not found)' } : {};

const CREATE_MS = 30_000;

export interface ClusterOptions {
  readonly nodes: number;
  readonly flags?: Readonly<Record<string, string>>;
  /** The API key. */
  readonly app?: string;
}

interface Ground {
  readonly directory: string;
  readonly reaper: Reaper;
  readonly servers: readonly [PgServer, PgServer];
}

export class Cluster {
  readonly app: string;
  readonly nodes: readonly ClusterNode[];
  primary: PgServer;
  standby: PgServer;
  readonly #ground: Ground;

  /** Resolves when every node listens. Everything ends with the test. */
  static async start(t: Ending, options: ClusterOptions): Promise<Cluster> {
    if (bin === undefined) throw new Error('there is no PostgreSQL');
    const directory = await mkdtemp(join(tmpdir(), 'rosterd-cluster-'));
    const reaper = new Reaper(directory);
    t.after(() => reaper.end());
    const servers = [await PgServer.make(bin, directory, 'a', reaper), await PgServer.make(bin, directory, 'b', reaper)] as const;
    const [primary, standby] = servers;
    await primary.initialize();
    await primary.start();
    await standby.copyOf(primary);
    await standby.start();
    await primary.sql(`create role ${PG_USER} login password '${PG_PASSWORD}'`);
    return await Cluster.#on(t, { directory, reaper, servers }, options);
  }

  /** Other nodes on the same servers, which end with their own test. */
  async beside(t: Ending, options: ClusterOptions): Promise<Cluster> {
    const cluster = await Cluster.#on(t, this.#ground, options);
    t.after(() => cluster.stopNodes());
    return cluster;
  }

  /** With an empty database of its own. */
  static async #on(t: Ending, ground: Ground, { nodes: count, flags = {}, app = randomUUID() }: ClusterOptions): Promise<Cluster> {
    const { directory, reaper, servers } = ground;
    const database = `d${randomUUID().replaceAll('-', '')}`;
    const nodes: ClusterNode[] = [];
    const cluster = new Cluster(app, nodes, ground);
    await cluster.streaming();
    await cluster.primary.sql(`create database ${database} owner ${PG_USER}`, CREATE_MS);
    const settings = Object.entries({ 'public-url': 'http://127.0.0.1:1', 'rate-limits': 'off', ...flags });
    for (let n = 0; n < count; n++) {
      const wires = await Promise.all(servers.map(({ port }) => Wire.open(port)));
      t.after(() => Promise.all(wires.map((wire) => wire.close())));
      const hosts = wires.map(({ port }) => `127.0.0.1:${port}`).join(',');
      const log = `postgres://${PG_USER}@${hosts}/${database}`;
      nodes.push(
        new ClusterNode({
          ...{ name: `node-${n}`, port: await freePort(), data: join(directory, database, `node-${n}`), wires, reaper },
          env: { ROSTERD_API_KEY: app, ROSTERD_API_SECRET: API_SECRET, PGPASSWORD: PG_PASSWORD, ROSTERD_LOG: log },
          flags: settings.map(([name, value]) => `--${name}=${value}`),
        }),
      );
    }
    await Promise.all(nodes.map((node) => node.start()));
    return cluster;
  }

  private constructor(app: string, nodes: readonly ClusterNode[], ground: Ground) {
    this.app = app;
    this.nodes = nodes;
    this.#ground = ground;
    [this.primary, this.standby] = ground.servers;
  }

  /** The node's wire to the server. */
  wire(node: ClusterNode, server: PgServer): Wire {
    const wire = node.wires[this.#ground.servers.indexOf(server)];
    if (wire === undefined) throw new Error('every node has a wire to every server');
    return wire;
  }

  /** Resolves when the standby has what the primary has, and is the synchronous one. */
  async streaming(): Promise<void> {
    const look = "select sync_state from pg_stat_replication where state = 'streaming'";
    let states: unknown[] = [];
    const isSync = async (): Promise<boolean> => {
      states = await this.primary.sql(look).catch(() => []);
      return states.includes('sync');
    };
    await eventually(isSync, () => `the standby ${this.standby.name} does not follow: ${states}`);
  }

  /** The standby becomes the primary, whatever the other one does. */
  async promote(): Promise<void> {
    await this.standby.promote();
    [this.primary, this.standby] = [this.standby, this.primary];
  }

  /** The server that is no primary any more becomes a standby of the one that is. */
  async remakeStandby(): Promise<void> {
    await this.standby.copyOf(this.primary);
    await this.standby.start();
    await this.streaming();
  }

  /** Resolves when every node is ready and takes writes. */
  async well(withinMs: number): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.well(withinMs)));
  }

  async stopNodes(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.end('SIGTERM')));
  }
}
