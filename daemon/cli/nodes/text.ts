/** The output of `rosterd nodes`: lines about the server and the log, a table of the nodes, and what an operator should look at. */
import type { ClusterFacts, NodeFacts, ServerFacts } from '../../../store/postgres/offline/overview.ts';

const COLUMNS = ['node', 'state', 'version', 'applied', 'lag', 'seen', 'jobs'] as const;

export function clusterText(facts: ClusterFacts): string {
  const { server, nodes } = facts;
  const about: readonly (readonly [string, string])[] = [
    ['server', `PostgreSQL ${server.version} at ${server.name}, ${server.isStandby ? 'a standby' : 'the primary'}`],
    ['synchronous_commit', server.synchronousCommit],
    ['synchronous_standby_names', `${server.standbyNames === '' ? '(none)' : server.standbyNames}${standbysText(server)}`],
    ['pooler', server.hasPooler ? 'yes' : 'no'],
    ['application', facts.app],
    ['position', `${facts.epoch}:${facts.seq}, kept after ${facts.tail}, format ${facts.format}`],
    ['log.require_sync', String(facts.requiresSync)],
  ];
  const width = Math.max(...about.map(([name]) => name.length));
  const lines = about.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
  return [...lines, '', ...table([[...COLUMNS], ...nodes.map(rowOfNode)]), ''].join('\n');
}

/** Names and values for programs; times in milliseconds. */
export function clusterJson({ app, server, epoch, seq, tail, format, requiresSync, nodes, differing }: ClusterFacts): object {
  return {
    server: {
      ...{ name: server.name, version: server.version, in_recovery: server.isStandby, pooler: server.hasPooler },
      ...{ synchronous_commit: server.synchronousCommit, synchronous_standby_names: server.standbyNames },
      synchronous_standbys: server.standbys ?? null,
    },
    log: { app, position: `${epoch}:${seq}`, tail, format, require_sync: requiresSync },
    nodes: nodes.map(({ name, isAlive, version, applied, lag, seenMs, jobs }) => ({
      ...{ name, state: stateOf(isAlive), version, applied, lag, seen_ms: seenMs, jobs },
    })),
    differing_settings: differing,
  };
}

/** One sentence for each thing that keeps the nodes from what they should be. */
export function clusterWarnings({ server, requiresSync, nodes, differing }: ClusterFacts): readonly string[] {
  const warnings: string[] = [];
  if (server.isStandby)
    warnings.push(`${server.name} is a standby, where the nodes are not known: name the primary, or all servers (host1,host2)`);
  if (server.hasPooler)
    warnings.push('a pooler such as PgBouncer stands between: daemons refuse to start over it, give them PostgreSQL itself');
  if (server.standbyNames === '' && requiresSync)
    warnings.push('no synchronous standby is named: writes are refused (set synchronous_standby_names, or log.require_sync to false)');
  else if (server.standbyNames === '') warnings.push('no synchronous standby is named: a failover loses acknowledged changes');
  else if (server.standbys === 0) warnings.push('no synchronous standby is connected: writes wait until one is');
  const versions = new Set(nodes.filter(({ isAlive }) => isAlive).map(({ version }) => version));
  if (versions.size > 1) warnings.push(`several versions are running (${[...versions].sort().join(', ')})`);
  if (differing.length > 0)
    warnings.push(`the nodes disagree about ${differing.join(', ')}: compare what "rosterd config print" says on each`);
  return warnings;
}

function standbysText({ standbyNames, standbys }: ServerFacts): string {
  if (standbyNames === '') return '';
  return standbys === undefined ? ' (only a role with pg_monitor sees who is connected)' : ` (${standbys} connected)`;
}

function rowOfNode({ name, isAlive, version, applied, lag, seenMs, jobs }: NodeFacts): string[] {
  return [name, stateOf(isAlive), version, String(applied), String(lag), `${(seenMs / 1_000).toFixed(1)}s ago`, jobs.join(', ') || '-'];
}

function stateOf(isAlive: boolean): string {
  return isAlive ? 'alive' : 'gone';
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
