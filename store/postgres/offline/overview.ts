/** What an operator wants to know of the nodes on one database: who is there, how far each has come, who does which job, and what the server promises. */
import { NODE_GONE_MS } from '../../peers.ts';
import { type PgRow, rowOf } from '../link/connection.ts';
import { differingSettings, settingsFromText } from '../node-settings.ts';
import { applicationOf, checkTables, type OpenDatabase, withServer } from './database.ts';

export interface NodeFacts {
  readonly name: string;
  /** Heard of within the last 10 s. The row of a node that crashed stays for a day (PE6). */
  readonly isAlive: boolean;
  readonly version: string;
  readonly applied: number;
  /** Facts that it had not applied when it was last heard of. */
  readonly lag: number;
  readonly seenMs: number;
  /** The jobs whose lease it holds. */
  readonly jobs: readonly string[];
}

export interface ServerFacts {
  readonly name: string;
  /** Such as "15.8". */
  readonly version: string;
  readonly isStandby: boolean;
  readonly hasPooler: boolean;
  /** As rosterd's connections have it. */
  readonly synchronousCommit: string;
  readonly standbyNames: string;
  /** Connected synchronous standbys; undefined when the role may not see them. */
  readonly standbys: number | undefined;
}

export interface ClusterFacts {
  readonly app: string;
  readonly server: ServerFacts;
  readonly epoch: string;
  readonly seq: number;
  /** The smallest position that can be read from. */
  readonly tail: number;
  /** Of the entries that are written. */
  readonly format: number;
  readonly requiresSync: boolean;
  /** By name. On a standby there are none: what the nodes say about themselves is on the primary only. */
  readonly nodes: readonly NodeFacts[];
  /** Settings about which living nodes disagree, though all must share them (PE5). */
  readonly differing: readonly string[];
}

const SERVER = `
  select current_setting('server_version') as version, pg_is_in_recovery() as is_standby, pg_backend_pid() as pid,
    current_setting('synchronous_commit') as synchronous_commit, current_setting('synchronous_standby_names') as standby_names,
    (select count(*) from pg_stat_replication where sync_state in ('sync', 'quorum')) as standbys,
    (select count(*) from pg_stat_replication where state is null) as hidden`;
const HEAD = 'select epoch, seq, tail, format, is_synced from rosterd.head where app = $1';
const NODES = `select name, version, applied, config_mac, extract(epoch from clock_timestamp() - seen) * 1000 as silent_ms
  from rosterd.node where app = $1 order by name`;
const LEASES = 'select job, holder from rosterd.lease where app = $1 and until > clock_timestamp() order by job';

/** @param asked the API key; may be left out where there is only one. Rejects with PostgresUnusable. */
export async function clusterFacts(address: string, asked: string | undefined): Promise<ClusterFacts> {
  return await withServer(address, async (database) => {
    const server = await serverFacts(database);
    await checkTables(database);
    const app = await applicationOf(database, asked);
    const ask = async (text: string): Promise<readonly PgRow[]> => (await database.connection.ask({ text, values: [app] })).rows;
    // The end of the log last: no node has applied more.
    const nodes = server.isStandby ? [] : await ask(NODES);
    const leases = server.isStandby ? [] : await ask(LEASES);
    const [head] = await ask(HEAD);
    if (head === undefined) throw new Error(`the log of ${app} was removed meanwhile`);
    const seq = Number(head.seq);
    const alive = nodes.filter(isAlive);
    return {
      ...{ app, server, seq, epoch: String(head.epoch), tail: Number(head.tail), format: Number(head.format) },
      requiresSync: head.is_synced === true,
      nodes: nodes.map((row) => nodeFacts(row, seq, leases)),
      differing: differingSettings(alive.map(({ config_mac }) => settingsFromText(String(config_mac)))),
    };
  });
}

async function serverFacts({ connection, name }: OpenDatabase): Promise<ServerFacts> {
  const row = rowOf(await connection.ask({ text: SERVER }));
  return {
    name,
    version: String(row.version),
    isStandby: row.is_standby === true,
    hasPooler: row.pid !== connection.announcedPid,
    synchronousCommit: String(row.synchronous_commit),
    standbyNames: String(row.standby_names),
    standbys: Number(row.hidden) > 0 ? undefined : Number(row.standbys),
  };
}

function isAlive({ silent_ms }: PgRow): boolean {
  return Number(silent_ms) <= NODE_GONE_MS;
}

function nodeFacts(row: PgRow, seq: number, leases: readonly PgRow[]): NodeFacts {
  const [name, applied] = [String(row.name), Number(row.applied)];
  // The name of a node has no space, and its holder begins with it.
  const jobs = leases.flatMap(({ job, holder }) => (String(holder).split(' ')[0] === name ? [String(job)] : []));
  return {
    ...{ name, applied, jobs, isAlive: isAlive(row), version: String(row.version) },
    ...{ lag: Math.max(0, seq - applied), seenMs: Math.max(0, Math.round(Number(row.silent_ms))) },
  };
}
