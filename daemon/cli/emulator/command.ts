/** `rosterd emulator`: its flags and its help. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { isLoopback } from '../../base/loopback.ts';
import { address, type ListenAddress } from '../config/setting-kinds.ts';
import type { CommandIo, Exit } from '../io.ts';

interface EmulatorCommandFlags {
  readonly listen?: ListenAddress;
  readonly seed?: string;
  readonly exec?: string;
}

const HOST = '127.0.0.1';
const PORT = 8800;

export function addEmulatorCommand(program: Command, io: CommandIo, exit: Exit): void {
  const emulator = program
    .command('emulator')
    .description(
      'run a directory in memory for the tests of a client or an application, with a clock, faults, snapshots and events to look at',
    )
    .addOption(
      new Option('--listen <host:port>', `a loopback address. Default: ${HOST}:${PORT}, and with --exec any free port`).argParser(
        checkedPlace,
      ),
    )
    .option('--seed <file>', 'users to begin with, in every form that rosterd sync reads: one JSON user per line, a JSON list or CSV')
    .option('--exec <command>', 'run this in a shell, with the variables that lead to the emulator, and end with its exit code');
  emulator.addHelpText(
    'after',
    `
The command finds ROSTERD_URL, ROSTERD_API_KEY, ROSTERD_API_SECRET and ROSTERD_EMULATOR_URL in its environment. Key and secret are new at
each start, unless ROSTERD_API_KEY and ROSTERD_API_SECRET are set. Other ROSTERD_… variables are settings, as for rosterd serve; rate
limits are off. Nothing is written to the current folder.

GET /emulator lists what can be asked of it.

Examples:
  $ rosterd emulator --exec "npm test"
  $ rosterd emulator --seed users.csv
  $ curl -X POST "$ROSTERD_EMULATOR_URL/reset" -H 'Content-Type: application/json'

Exit codes: that of the command; without one, 0 ended by Ctrl-C, 1 something failed, 2 wrong usage or settings`,
  );
  emulator.action(async ({ listen, seed, exec }: EmulatorCommandFlags) => {
    const place = listen ?? { host: HOST, port: exec === undefined ? PORT : 0 };
    const { runEmulator } = await import('../../emulator/run-emulator.ts');
    exit.code = await runEmulator({ listen: place, seed, exec }, io);
  });
}

function checkedPlace(text: string): ListenAddress {
  const place = address.fromText(text);
  if (place === undefined) throw new InvalidArgumentError(`It must be ${address.allowed}.`);
  if (isLoopback(place.host)) return place;
  throw new InvalidArgumentError(
    'The emulator does whatever it is asked without a token, so it listens on a loopback address only, such as 127.0.0.1:8800; for other machines there is rosterd serve.',
  );
}
