/** The man page, made from the help texts of the program, so that there is one text of each. */
import type { Command } from 'commander';
import { buildProgram } from '../../daemon/cli/commands.ts';
import { packageVersion } from '../../daemon/cli/version.ts';
import { fakeIo } from '../support/sync/fake-server.ts';

/** What fits into a terminal of 80 columns, behind the margin of a man page. */
const COLUMNS = 70;

/** In roff. `date`: of the release, such as 2026-11-30. */
export function manPage(date: string): string {
  const io = fakeIo({ cwd: '/' });
  const program = buildProgram(io, { serve: async () => 0 }, { code: 0 });
  const help = (command: Command): string => {
    command.configureOutput({ getOutHelpWidth: () => COLUMNS });
    const before = io.stdout.text.length;
    command.outputHelp();
    return io.stdout.text.slice(before).trim();
  };
  const sections = commandsOf(program, 'rosterd').map(([name, command]) => `.SS ${escaped(name)}\n.nf\n${escaped(help(command))}\n.fi\n`);
  return [
    `.TH ROSTERD 1 "${date}" "rosterd ${packageVersion()}" "User Commands"`,
    '.SH NAME',
    `rosterd \\- ${escaped(program.description().replace(/\.$/, '').toLowerCase())}`,
    '.SH SYNOPSIS',
    '.B rosterd',
    '.I command',
    '[options]',
    '.SH DESCRIPTION',
    '.nf',
    escaped(help(program)),
    '.fi',
    '.SH COMMANDS',
    sections.join('').trim(),
    '.SH FILES',
    '.TP',
    '.I /etc/rosterd/rosterd.json',
    'settings of the service',
    '.TP',
    '.I /var/lib/rosterd',
    'data directory of the service, with the API key and secret in credentials.json',
    '',
  ].join('\n');
}

/** All commands that do something, with their full names. */
function commandsOf(parent: Command, name: string): (readonly [string, Command])[] {
  return parent.commands.flatMap((command) => {
    const own = `${name} ${command.name()}`;
    const below = commandsOf(command, own);
    return command.name() === 'help' ? [] : [[own, command] as const, ...below];
  });
}

/** A backslash, and a dot or an apostrophe at the beginning of a line, mean something in roff; a plain hyphen would become a typographic one. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^(?=[.'])/gm, '\\&')
    .replaceAll('…', '...');
}
