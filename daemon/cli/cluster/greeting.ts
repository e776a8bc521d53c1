/** What the cluster says when it runs: its address, and how to try what it promises. */

import { ownName } from '../own-command.ts';
import type { Cluster } from './cluster.ts';
import { PASSWORD_FILE, PG_CLUSTER_USER } from './postgres.ts';

export interface ClusterPlace {
  readonly folder: string;
  readonly apiKey: string;
  /** The folder of PostgreSQL's programs. */
  readonly postgres: string;
  readonly hasProxy: boolean;
  /** PostgreSQL's programs must run as the user postgres. */
  readonly isRoot: boolean;
  /** Of this command. */
  readonly pid: number;
}

export function clusterGreeting(cluster: Cluster, { folder, apiKey, postgres, hasProxy, isRoot, pid }: ClusterPlace): string {
  const client = `--url ${cluster.url} --data ${folder}`;
  const [a, b] = cluster.servers;
  const pids = new Map(cluster.parts.map((part) => [part.name, part.pid]));
  const width = Math.max(...cluster.parts.map(({ name }) => name.length));
  const asOwner = isRoot ? 'runuser -u postgres -- ' : '';
  return [
    hasProxy
      ? `the cluster listens on ${cluster.url} (HAProxy before ${cluster.nodeUrls.join(', ')})`
      : `HAProxy is not installed, so clients must know every node: ${cluster.nodeUrls.join(', ')}`,
    `API key: ${apiKey} (secret: in ${folder}/credentials.json)`,
    'parts, each with its output in a file of its own:',
    ...cluster.parts.map(({ name, pid: id, logFile }) => `  ${name.padEnd(width)}  pid ${String(id).padEnd(7)}  ${logFile}`),
    'watch, each in another terminal:',
    `  ${ownName()} watch ${client}`,
    `  ${ownName()} sync users.ndjson ${client}`,
    `  while sleep 1; do curl -s ${cluster.nodeUrls.map((url) => `${url}/readyz`).join(' ')}; echo; done`,
    'the metrics of each node, for Prometheus (daemon/deploy/ has alerts and a dashboard):',
    ...cluster.metricsUrls.map((url) => `  curl -s ${url}`),
    'break something, and see that no acknowledged write and no event is lost:',
    ...attempts([
      [`kill -9 ${pids.get('node-1')}`, 'a node: its connections resume at another node'],
      [`kill -9 ${pids.get(a.name)}`, 'the primary: writes wait, reads go on and say that they may be old, until the standby takes over:'],
      [`${asOwner}${postgres}/pg_ctl -D ${b.data} promote`, ''],
      [`kill -9 ${pids.get(b.name)}`, 'or the standby: writes are refused after 5 s, because nobody has a second copy'],
      [`kill -USR2 ${pid}`, 'starts again every part that has died, a database server as the standby of the other one'],
    ]),
    'see how the standby follows:',
    `  PGPASSWORD=$(cat ${folder}/${PASSWORD_FILE}) psql -h 127.0.0.1 -p ${a.port} -U ${PG_CLUSTER_USER} postgres -c 'table pg_stat_replication'`,
    'Ctrl-C ends everything',
    '',
  ].join('\n');
}

/** Commands with what they show. */
function attempts(lines: readonly (readonly [command: string, shows: string])[]): string[] {
  const width = Math.max(...lines.map(([command, shows]) => (shows === '' ? 0 : command.length)));
  return lines.map(([command, shows]) => `  ${command.padEnd(width)}  ${shows}`.trimEnd());
}
