/** `rosterd watch`: the flags, the output and the signals around `watch`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { errorText } from '../../../protocol/base/errors.ts';
import { userIdProblem } from '../../../protocol/base/ids.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { refusedNumbers } from '../../../protocol/users/exact-fields.ts';
import { type ClientCommands, type ClientSettings, checkedUrls, daemonUrl, nodeUrls } from '../client-options.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { serverToken } from '../token.ts';
import { formatEvent, formatPresenceState } from './format.ts';
import type { HandOn } from './outflow.ts';
import type { WatchOptions } from './watch.ts';

interface WatchFlags {
  readonly url?: string;
  readonly ids?: string[];
  readonly filter?: Record<string, unknown>;
  readonly presence?: true;
  readonly json?: true;
}

export function addWatchCommand(program: Command, io: CommandIo, exit: { code: number }, { addSettings, load }: ClientCommands): void {
  const command = program
    .command('watch')
    .description('print every change as it happens')
    .addOption(
      new Option('--url <url>', 'address of the daemon, or of several nodes, comma-separated. Default: http://<listen>').argParser(
        checkedUrls,
      ),
    )
    .addOption(new Option('--ids <ids>', 'only these users, comma-separated').argParser(checkedIds))
    .addOption(new Option('--filter <json>', 'only users that match, as in a query').argParser(checkedFilter).conflicts('ids'))
    .option('--presence', 'print who comes online and goes offline, too')
    .option('--json', 'print the events as they come, one JSON object per line');
  addSettings(command);
  command.addHelpText(
    'after',
    `
It stays connected over Socket.IO until Ctrl-C, and after a cut resumes behind the last event, so that none is missing or
printed twice. Users who come and go while it is not connected are not printed; once it is connected again, it prints who is online.
What it has to say besides events (connected, resync, …) goes to stderr.

Examples:
  $ rosterd watch
  $ rosterd watch --ids ann,bob --presence
  $ rosterd watch --filter '{"role":"admin"}' --json | jq .user.id`,
  );
  command.action(async (flags: WatchFlags) => {
    exit.code = await watchAndPrint(flags, load(command), io);
  });
}

async function watchAndPrint(flags: WatchFlags, { config, credentials }: ClientSettings, io: CommandIo): Promise<number> {
  const stop = new AbortController();
  const undo = io.onInterrupt(() => stop.abort());
  const options: WatchOptions = {
    url: nodeUrls(flags.url ?? daemonUrl(config, io.env)),
    apiKey: credentials.apiKey,
    token: () => serverToken(credentials.apiSecret),
    interest: interestOf(flags),
    presence: flags.presence === true,
  };
  const onTalk = (text: string): void => void io.stderr.write(`rosterd: ${text}\n`);
  const { watch } = await import('./watch.ts');
  const end = await watch(options, {
    random: Math.random,
    onEvent: printer(flags, io, onTalk),
    onTalk,
    stop: stop.signal,
  });
  undo();
  if (end.kind === 'stopped') return EXIT.interrupted;
  io.stderr.write(`rosterd: ${end.reason}\n`);
  return EXIT.failed;
}

/** Without --json, the list of online users after a cut is a message, not a result: nobody came or went. */
function printer({ json }: WatchFlags, { stdout }: CommandIo, onTalk: (text: string) => void): HandOn {
  return (event) => {
    if (!json && event.type === 'presence.state') {
      onTalk(formatPresenceState(event));
      return undefined;
    }
    return stdout.write(`${json ? JSON.stringify(event) : formatEvent(event)}\n`) ? undefined : stdout.drained();
  };
}

function interestOf({ ids, filter }: WatchFlags): WatchOptions['interest'] {
  if (ids !== undefined) return { ids };
  return filter === undefined ? { all: true } : { filter };
}

function checkedIds(text: string): string[] {
  const ids = [...new Set(text.split(',').map((id) => id.trim()))];
  if (ids.length > LIMITS.subIds) throw new InvalidArgumentError(`At most ${LIMITS.subIds} users can be named.`);
  for (const id of ids) {
    const problem = userIdProblem(id);
    if (problem !== undefined) throw new InvalidArgumentError(`A user id ${problem}.`);
  }
  return ids;
}

function checkedFilter(text: string): Record<string, unknown> {
  let filter: unknown;
  try {
    filter = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It is not JSON: ${errorText(error)}.`);
  }
  if (!isObject(filter)) throw new InvalidArgumentError('It must be a JSON object such as {"role":"admin"}.');
  const [inexact] = refusedNumbers(`{"filter":${text}}`);
  if (inexact !== undefined) throw new InvalidArgumentError(`${inexact.text}.`);
  return filter;
}
