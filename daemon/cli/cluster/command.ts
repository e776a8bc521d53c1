/** `rosterd cluster`: the flags, the checks before anything starts, and the end. */
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { errorText } from '../../../protocol/base/errors.ts';
import { aborted } from '../../base/aborted.ts';
import { checkedCount } from '../client-options.ts';
import { resolveCredentials } from '../config/credentials.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { Guard, openFolder, removeFolder } from './folder.ts';
import { clusterGreeting } from './greeting.ts';
import { findPostgres, findProgram, postgresOwner } from './programs.ts';
import { ClusterFailed } from './trouble.ts';

interface ClusterFlags {
  readonly nodes: number;
  readonly port: number;
  readonly data?: string;
}

const HOST = '127.0.0.1';

export function addClusterCommand(program: Command, io: CommandIo, exit: { code: number }): void {
  const cluster = program
    .command('cluster')
    .description('run several nodes on a PostgreSQL with a synchronous standby, on this machine: to try them, and to see parts die')
    .addOption(new Option('--nodes <count>', 'how many nodes').argParser(checkedCount(1, 20)).default(3))
    .addOption(new Option('--port <port>', 'where HAProxy listens on 127.0.0.1').argParser(checkedCount(1, 65_535)).default(8800))
    .option('--data <folder>', 'a new or empty folder for everything, which is kept. Default: a temporary one, which is removed');
  cluster.addHelpText(
    'after',
    `
It needs the programs of PostgreSQL, and uses HAProxy where that is installed. Settings and variables of yours are not looked at.
It prints the pids of all parts, and how to break them. Real machines: daemon/deploy/README.md.

Examples:
  $ rosterd cluster
  $ rosterd cluster --nodes 5 --port 9000 --data ./cluster

Exit codes: 0 ended by Ctrl-C, 1 something failed, 2 wrong usage`,
  );
  cluster.action(async (flags: ClusterFlags) => {
    exit.code = await runCluster(flags, io);
  });
}

/** Resolves with the exit code. `postgresIn` finds the folder of PostgreSQL's programs. */
export async function runCluster({ nodes, port, data }: ClusterFlags, io: CommandIo, postgresIn = findPostgres): Promise<number> {
  const stop = new AbortController();
  const leave = new AbortController();
  const undo = io.onInterrupt(() => (stop.signal.aborted ? leave.abort() : stop.abort()));
  const onTalk = (text: string): void => void io.stderr.write(`rosterd: ${text}\n`);
  try {
    const postgres = await postgresIn(io.env);
    if (postgres === undefined)
      throw new ClusterFailed(
        'PostgreSQL is not installed here (initdb was not found): install its server, on Debian with apt-get install postgresql',
      );
    const haproxy = await findProgram('haproxy', io.env);
    const listen = { host: HOST, port };
    if (haproxy !== undefined) await mustBeFree(listen);
    const owner = await postgresOwner();
    const folder = await openFolder(data === undefined ? undefined : resolve(io.cwd, data), owner);
    const guard = new Guard(data === undefined ? folder : undefined);
    try {
      const credentials = resolveCredentials({ data: folder, apiKey: undefined, apiSecret: undefined });
      const options = { folder, credentials, nodes, listen, postgres, owner, haproxy, env: io.env, guard, stop: stop.signal, onTalk };
      return await live(await Cluster.plan(options), options, leave.signal, io);
    } finally {
      await guard.done();
      if (data === undefined) await removeFolder(folder);
      else onTalk(`everything is kept in ${folder}`);
    }
  } catch (error) {
    onTalk(errorText(error));
    return EXIT.failed;
  } finally {
    undo();
  }
}

/** Runs until it is interrupted. Resolves with the exit code when every part has ended. */
async function live(cluster: Cluster, options: ClusterOptions, leave: AbortSignal, io: CommandIo): Promise<number> {
  const { folder, credentials, postgres, haproxy, owner, stop, onTalk } = options;
  let reviving: Promise<void> = Promise.resolve();
  const revive = (): void => {
    reviving = reviving
      .then(() => cluster.revive())
      .catch((error: unknown) => {
        if (!stop.aborted) onTalk(errorText(error));
      });
  };
  try {
    await cluster.start();
    process.on('SIGUSR2', revive);
    const surroundings = {
      folder,
      apiKey: credentials.apiKey,
      postgres,
      hasProxy: haproxy !== undefined,
      isRoot: owner !== undefined,
      pid: process.pid,
    };
    io.stdout.write(clusterGreeting(cluster, surroundings));
    await aborted(stop);
    return EXIT.ok;
  } catch (error) {
    if (!stop.aborted) throw error;
    return EXIT.interrupted;
  } finally {
    process.off('SIGUSR2', revive);
    if (stop.aborted) onTalk('stopping; press Ctrl-C again to end it at once');
    await reviving;
    await Promise.race([cluster.stop(), aborted(leave)]);
    await cluster.kill();
  }
}

/** Throws ClusterFailed when something listens there. */
async function mustBeFree({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  const server = createServer();
  const problem = await new Promise<Error | undefined>((resolve) => {
    server.once('error', resolve).listen(port, host, () => resolve(undefined));
  });
  if (problem !== undefined)
    throw new ClusterFailed(`HAProxy cannot listen on ${host}:${port} (${problem.message}): choose another port with --port`);
  await new Promise((resolve) => server.close(resolve));
}
