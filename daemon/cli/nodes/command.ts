/** `rosterd nodes`: the daemons on one PostgreSQL, read from the database itself. */
import type { Command } from 'commander';
import { clusterFacts } from '../../../store/postgres/offline/overview.ts';
import type { ClientCommands } from '../client-options.ts';
import { ConfigError } from '../config/config.ts';
import type { CommandIo } from '../io.ts';
import { clusterJson, clusterText, clusterWarnings } from './text.ts';

export function addNodesCommand(program: Command, io: CommandIo, { addDatabase, settings }: ClientCommands): void {
  const command = program
    .command('nodes')
    .description('show the daemons that share a database, how far each has come, and who does which job')
    .option('--json', 'as one JSON object');
  addDatabase(command);
  command.addHelpText(
    'after',
    `
It reads the database itself, so it works while no daemon runs. What a node says about itself is up to 1 s old. A node that has said
nothing for 10 s counts as gone. --api-key is needed where several applications share the database.

Examples:
  $ rosterd nodes --log postgres://roster@db1,db2/roster
  $ ROSTERD_LOG=postgres://roster@db/roster rosterd nodes --json | jq '.nodes[] | select(.lag > 1000)'

Exit codes: 0 shown, 1 the database cannot be read, 2 wrong usage or settings`,
  );
  command.action(async ({ json }: { json?: true }) => {
    const { log, apiKey } = settings(command);
    if (log === undefined) throw new ConfigError(['log is not set: give the database with --log, ROSTERD_LOG or the configuration file']);
    const facts = await clusterFacts(log, apiKey);
    io.stdout.write(json ? `${JSON.stringify(clusterJson(facts))}\n` : clusterText(facts));
    for (const warning of clusterWarnings(facts)) io.stderr.write(`rosterd: ${warning}\n`);
  });
}
