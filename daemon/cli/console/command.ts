/** `rosterd console`: prints a link that signs a browser in to the console, and ends sign-ins. It keeps CO1 and CO4 (daemon/RULES.md). */
import { type Command, Option } from 'commander';
import type { SignInRole } from '../../../protocol/access/sign-ins.ts';
import { Seals } from '../../edge/console/seals.ts';
import { callDaemon } from '../call/call.ts';
import { type ClientCommands, type ClientSettings, checkedUrl, daemonUrl } from '../client-options.ts';
import { type CommandIo, EXIT, type Exit } from '../io.ts';

interface ConsoleFlags {
  readonly role: SignInRole;
  readonly url?: string;
  readonly signOutAll?: true;
}

export function addConsoleCommand(program: Command, io: CommandIo, exit: Exit, client: ClientCommands): void {
  const command = program
    .command('console')
    .description("print a link that signs a browser in to the operator's console")
    .addOption(
      new Option('--role <role>', 'read: look at everything; operate: also change users').choices(['read', 'operate']).default('operate'),
    )
    .option(
      '--url <url>',
      'where the browser reaches the daemon. Default: public_url, or where the settings say that it listens',
      checkedUrl,
    )
    .option('--sign-out-all', 'end every sign-in instead');
  client.addSettings(command);
  command.addHelpText(
    'after',
    `
The link is good for 5 minutes and works once. The sign-in lasts for 12 hours, or until it is not used for an hour. What it changes is in
the history of the users, with its id. By default the daemon shows its console to browsers on its own machine only (setting: console).

Examples:
  $ rosterd console
  $ rosterd console --role read --url https://users.example.com
  $ rosterd console --sign-out-all

Exit codes: 0 done, 1 refused or not reached, 2 wrong usage or settings`,
  );
  command.action(async (flags: ConsoleFlags) => {
    const settings = client.load(command);
    const url = flags.url ?? settings.config.publicUrl ?? daemonUrl(settings.config, io.env);
    if (flags.signOutAll === true) exit.code = await signOutAll(url, settings, io);
    else printLink(url, flags.role, settings, io);
  });
}

/** The code stands after `#`, which no browser sends: a program that looks at links does not use it up. */
function printLink(url: string, role: SignInRole, { credentials }: ClientSettings, io: CommandIo): void {
  const code = new Seals(credentials.apiSecret).newCode(role, io.now());
  io.stdout.write(`${url.replace(/\/+$/, '')}/console/#code=${code}\n`);
  if (io.stderr.isTTY) io.stderr.write(`(role ${role}; good for 5 minutes, works once)\n`);
}

/** Resolves with the exit code. */
async function signOutAll(url: string, settings: ClientSettings, io: CommandIo): Promise<number> {
  const request = { method: 'DELETE', path: '/api/v2/sign_ins' } as const;
  const { status, body, text } = await callDaemon(url, settings, request, new AbortController().signal);
  if (status === 200) {
    io.stdout.write(`ended ${body?.ended}\n`);
    return EXIT.ok;
  }
  io.stderr.write(`rosterd: ${typeof body?.message === 'string' ? body.message : `status ${status}: ${text.slice(0, 200)}`}\n`);
  return EXIT.failed;
}
