/** `rosterd compare`: its flags. It keeps CY4–CY6 (daemon/RULES.md). */
import { type Command, InvalidArgumentError } from 'commander';
import type { Position } from '../../../protocol/base/position.ts';
import { positionOf } from '../../../protocol/base/position-text.ts';
import { CopyReader } from '../../../protocol/users/comparing/copy-reader.ts';
import { type ClientCommands, checkedCount, checkedUrls, daemonUrl } from '../client-options.ts';
import { type CommandIo, EXIT, type Exit } from '../io.ts';
import { createHttpClient } from '../sync/http-client.ts';
import { serverToken } from '../token.ts';
import { packageVersion } from '../version.ts';
import { compareCopy, compareDigest, questionsTo } from './compare.ts';
import { readCopyFile } from './copy-file.ts';

/** Between any two parts of an answer; digests of a directory of millions of users take seconds. */
const TIMEOUT_MS = 60_000;

interface CompareFlags {
  readonly digest?: string;
  readonly position?: Position;
  readonly team?: string;
  readonly revisions?: true;
  readonly show: number;
  readonly json?: true;
  readonly url?: string;
}

export function addCompareCommand(program: Command, io: CommandIo, exit: Exit, client: ClientCommands): void {
  const command = program
    .command('compare')
    .description('prove whether a copy of the users is stale, and name the users that differ')
    .argument('[copy]', 'file with what the copy holds, - for stdin: ids and revisions, or whole users; JSON Lines or JSON')
    .option('--digest <digest>', 'compare only the digest that digest() of the client library gave')
    .option('--position <epoch:seq>', 'where the copy is: users that changed after it are no difference. Default: now', checkedPosition)
    .option('--team <team>', 'the copy holds only the users of this team')
    .option('--revisions', 'compare only ids and revisions, also where the file holds whole users')
    .option('--show <count>', 'differences to print; all are counted', checkedCount(0, 999_999_999), 100)
    .option('--json', 'print one JSON object per difference, and one at the end')
    .option(
      '--url <url>',
      'address of the daemon, or of its nodes, with commas. Default: where the settings say that it listens',
      checkedUrls,
    );
  client.addSettings(command);
  command.addHelpText('after', COMPARE_HELP);
  command.action(async (file: string | undefined, flags: CompareFlags) => {
    if ((file === undefined) === (flags.digest === undefined))
      command.error('error: give either a file or --digest', { exitCode: EXIT.usage });
    const { config, credentials } = client.load(command);
    const stop = new AbortController();
    const undo = io.onInterrupt(() => stop.abort(new Error('interrupted')));
    const { apiKey, apiSecret } = credentials;
    const http = createHttpClient({
      ...{ url: flags.url ?? daemonUrl(config, io.env), apiKey, token: serverToken(apiSecret), sockets: 1, timeoutMs: TIMEOUT_MS },
      client: `rosterd-compare/${packageVersion()}`,
    });
    try {
      exit.code = await compare(file, flags, questionsTo(http, stop.signal), io);
    } catch (error) {
      if (!stop.signal.aborted) throw error;
      exit.code = EXIT.interrupted;
    } finally {
      http.close();
      undo();
    }
  });
}

async function compare(
  file: string | undefined,
  { digest, position, team, revisions, show, json }: CompareFlags,
  questions: ReturnType<typeof questionsTo>,
  io: CommandIo,
): Promise<number> {
  const isJson = json === true;
  if (file === undefined) return await compareDigest(digest ?? '', { team, position, isJson }, questions, io);
  const reader = new CopyReader({ withFields: revisions !== true });
  await readCopyFile(file, reader, io);
  return await compareCopy(reader.copy({ team, position }), questions, { isJson, show }, io);
}

function checkedPosition(text: string): Position {
  const position = positionOf(text);
  if (position === undefined)
    throw new InvalidArgumentError('It must be an epoch, a colon and a seq, as in the header X-Rosterd-Position.');
  return position;
}

const COMPARE_HELP = `
The copy is compared by digests of its parts first, then by the ids of the parts that differ. Fields of whole users are compared as
an upsert would change them. Nothing is written.

Examples:
  $ rosterd compare copy.ndjson                            {"id":"ann","rev":17} on each line
  $ rosterd compare users.json --position 3b1c…:1042       whole users, as they were at that position
  $ rosterd compare --digest 10000-5d3f0c1b9a7e2468
  $ rosterd call GET /sync/users --url https://a.example.com | rosterd compare - --url https://b.example.com

Exit codes: 0 equal, 1 different or not compared, 2 wrong usage or settings, 130 interrupted`;
