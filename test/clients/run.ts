/**
 * Runs programs that use published open-source clients, each against a real daemon of its own: `npm run test:clients`,
 * or `npm run test:clients -- python-feeds` for some of them, and with `--cluster` against three nodes behind HAProxy. One line per operation, a line in capitals for
 * every client that was skipped, both counted at the end; exit code 1 when an operation failed.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CLIENTS, type Client } from './catalogue.ts';
import { startClusterDirectory, startRestartingCluster } from './cluster.ts';
import { startDirectory } from './directory.ts';
import { type Outcome, runProgram } from './program.ts';
import { startRestarting } from './restarting.ts';
import { prepare } from './toolchains.ts';

const CLUSTER = '--cluster';

interface Totals {
  ok: number;
  failed: number;
  readonly skipped: string[];
}

const say = (line: string): void => console.log(line);

function skip(totals: Totals, { name, client }: Client, reason: string): void {
  say(`SKIP ${client} (${name}): ${reason}`);
  totals.skipped.push(name);
}

function report(totals: Totals, { client, dialect }: Client, outcome: Outcome): void {
  if (outcome.failure === undefined) {
    totals.ok++;
    say(`ok ${client} ${outcome.operation} (${dialect})`);
  } else {
    totals.failed++;
    say(`not ok ${client} ${outcome.operation} (${dialect}) ${outcome.failure}`);
  }
}

async function runClient(totals: Totals, client: Client, isCluster: boolean): Promise<void> {
  const folder = join(import.meta.dirname, client.name);
  if (!existsSync(folder)) return skip(totals, client, `NOT COVERED, there is no test/clients/${client.name}/`);
  const prepared = await prepare(folder);
  if (prepared.kind === 'absent') return skip(totals, client, `${prepared.toolchain} is not installed`);
  if (prepared.kind === 'failed') return report(totals, client, { operation: 'prepare', failure: prepared.reason });
  const [restarting, empty] = isCluster ? [startRestartingCluster, startClusterDirectory] : [startRestarting, startDirectory];
  const directory = await (client.dialect === 'live' ? restarting() : empty());
  try {
    await runProgram({ ...prepared.command, env: directory.env, onOutcome: (outcome) => report(totals, client, outcome) });
  } finally {
    await directory.stop();
  }
}

async function main(args: readonly string[]): Promise<number> {
  const isCluster = args.includes(CLUSTER);
  const wanted = args.filter((arg) => arg !== CLUSTER);
  const unknown = wanted.filter((name) => !CLIENTS.some((client) => client.name === name));
  if (unknown.length > 0) {
    console.error(`unknown client: ${unknown.join(', ')}; there are ${CLIENTS.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  const totals: Totals = { ok: 0, failed: 0, skipped: [] };
  for (const client of CLIENTS) {
    if (wanted.length === 0 || wanted.includes(client.name)) await runClient(totals, client, isCluster);
  }
  say(`\n${totals.ok} ok, ${totals.failed} failed, ${totals.skipped.length} clients SKIPPED${list(totals.skipped)}`);
  return totals.failed > 0 ? 1 : 0;
}

function list(names: readonly string[]): string {
  return names.length === 0 ? '' : `: ${names.join(', ')}`;
}

process.exitCode = await main(process.argv.slice(2));
