/** `rosterd doctor`: the flags, the order of the checks, and the output. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { checkedDuration, checkedUrl, daemonUrl } from '../client-options.ts';
import type { ReadSettings } from '../config/config.ts';
import { findCredentials } from '../config/credentials.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { databaseClockFinding } from './clock.ts';
import { dataFindings } from './data.ts';
import { type Finding, findingsJson, findingsText, isWell } from './finding.ts';
import { holdFinding } from './hold.ts';
import { machineFindings, thisMachine } from './machine.ts';
import { portFinding } from './port.ts';
import { reachFindings, readyFinding } from './reach.ts';
import { secretFinding } from './secret.ts';

type Settings = Pick<ReadSettings, 'config' | 'origins'>;

interface DoctorFlags {
  readonly url?: string;
  readonly hold?: number;
  readonly ready?: true;
  readonly wait?: number;
  readonly json?: true;
}

export interface DoctorCommands {
  /** Adds the flags of all settings. */
  addSettings(command: Command): void;
  /** Reads them as `serve` does. Throws ConfigError. */
  load(command: Command): Settings;
}

const LOOK_MS = 250;

export function addDoctorCommand(program: Command, io: CommandIo, exit: { code: number }, { addSettings, load }: DoctorCommands): void {
  const doctor = program
    .command('doctor')
    .description('check whether a daemon can run here with these settings, and whether clients reach it')
    .addOption(new Option('--url <url>', 'also check a daemon as its clients reach it, through all proxies').argParser(checkedUrl))
    .addOption(
      new Option('--hold <duration>', 'with --url: also keep a live connection open for so long; needs the API key and secret').argParser(
        checkedDuration(1),
      ),
    )
    .option('--ready', 'only ask the daemon of these settings, or of --url, whether it takes requests')
    .addOption(new Option('--wait <duration>', 'with --ready: ask until it does, for so long').argParser(checkedDuration(1)))
    .option('--json', 'as one JSON object');
  addSettings(doctor);
  doctor.addHelpText('after', EXAMPLES);
  doctor.action(async (flags: DoctorFlags) => {
    if (flags.wait !== undefined && flags.ready !== true) doctor.error('error: --wait belongs to --ready', { exitCode: EXIT.usage });
    if (flags.hold !== undefined && (flags.url === undefined || flags.ready === true))
      doctor.error('error: --hold belongs to --url, without --ready', { exitCode: EXIT.usage });
    const findings = await examine(flags, load(doctor), io);
    io.stdout.write(flags.json === true ? findingsJson(findings) : findingsText(findings));
    exit.code = isWell(findings) ? EXIT.ok : EXIT.failed;
  });
}

const EXAMPLES = `
One line for each check: ok, warn or fail, what was found, and what to do. It changes nothing, needs no token, and takes the settings as
serve does: run it as the user, with the settings and in the container that the daemon has.

Examples:
  $ rosterd doctor --config /etc/rosterd/rosterd.json
  $ rosterd doctor --url https://users.example.com
  $ rosterd doctor --ready --wait 60s

Exit codes: 0 nothing failed, 1 something failed, 2 wrong usage or settings`;

async function examine({ url, ready, wait = 0, hold }: DoctorFlags, settings: Settings, io: CommandIo): Promise<readonly Finding[]> {
  const asked = url?.replace(/\/+$/, '');
  const { config } = settings;
  if (ready === true) return [await readyWithin(asked ?? daemonUrl(config, {}), wait, io)];
  return [
    ...machineFindings(await thisMachine(), config),
    ...(await dataFindings(config)),
    await secretFinding(settings),
    await portFinding(config),
    ...(config.log === undefined ? [] : [await databaseClockFinding(config.log, () => io.now())]),
    ...(asked === undefined ? [] : await reachFindings(asked, () => io.now())),
    ...(asked === undefined || hold === undefined ? [] : [await holdFinding(asked, hold, findCredentials(config))]),
  ];
}

/** The last answer within `ms` milliseconds; an interrupt ends the wait. */
async function readyWithin(url: string, ms: number, io: CommandIo): Promise<Finding> {
  const endMs = performance.now() + ms;
  let isInterrupted = false;
  const undo = io.onInterrupt(() => {
    isInterrupted = true;
  });
  try {
    for (;;) {
      const finding = await readyFinding(url);
      if (finding.health === 'ok' || isInterrupted || performance.now() >= endMs) return finding;
      await delay(LOOK_MS);
    }
  } finally {
    undo();
  }
}
