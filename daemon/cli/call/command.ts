/** `rosterd call`: sends one request to the daemon and prints its answer. It keeps CO15 (daemon/RULES.md). */
import { type Command, InvalidArgumentError } from 'commander';
import type { AskRequest } from '../../sync/transport.ts';
import { type ClientCommands, checkedUrls, daemonUrl } from '../client-options.ts';
import { type CommandIo, EXIT, type Exit } from '../io.ts';
import { callDaemon } from './call.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

export function addCallCommand(program: Command, io: CommandIo, exit: Exit, client: ClientCommands): void {
  const command = program
    .command('call')
    .description('send one request to the daemon, with a server token, and print the answer')
    .argument('<method>', METHODS.join(', '), checkedMethod)
    .argument('<path>', 'path of an endpoint, with its query', checkedPath)
    .argument('[body]', 'JSON', checkedBody)
    .option('--if-match <revision>', 'refuse the request unless what it changes has this revision: the ETag of an answer')
    .option(
      '--url <url>',
      'address of the daemon, or of its nodes, with commas. Default: where the settings say that it listens',
      checkedUrls,
    );
  client.addSettings(command);
  command.addHelpText(
    'after',
    `
The api_key and the token are added. /openapi.json of the daemon describes the endpoints.

Examples:
  $ rosterd call POST /api/v2/users/ann/deactivate
  $ rosterd call POST /api/v2/moderation/ban '{"target_user_id":"ann","reason":"spam"}'
  $ rosterd call GET '/api/v2/users/ann/history?limit=5' | jq .history

Exit codes: 0 done, 1 refused or not reached, 2 wrong usage or settings, 130 interrupted`,
  );
  command.action(
    async (method: AskRequest['method'], target: Target, body: string | undefined, options: { url?: string; ifMatch?: string }) => {
      const { url, ifMatch } = options;
      const settings = client.load(command);
      const stop = new AbortController();
      const undo = io.onInterrupt(() => stop.abort(new Error('interrupted')));
      try {
        const request = {
          ...{ method, ...target },
          ...(body === undefined ? undefined : { body }),
          ...(ifMatch === undefined ? undefined : { ifMatch }),
        };
        const reply = await callDaemon(url ?? daemonUrl(settings.config, io.env), settings, request, stop.signal);
        const isFine = reply.status < 400;
        (isFine ? io.stdout : io.stderr).write(`${reply.text}\n`);
        exit.code = isFine ? EXIT.ok : EXIT.failed;
      } catch (error) {
        if (!stop.signal.aborted) throw error;
        exit.code = EXIT.interrupted;
      } finally {
        undo();
      }
    },
  );
}

function checkedMethod(text: string): AskRequest['method'] {
  const method = METHODS.find((one) => one === text.toUpperCase());
  if (method === undefined) throw new InvalidArgumentError(`It must be one of ${METHODS.join(', ')}.`);
  return method;
}

type Target = Pick<AskRequest, 'path' | 'query'>;

function checkedPath(text: string): Target {
  if (!text.startsWith('/')) throw new InvalidArgumentError('It must be a path such as /api/v2/users.');
  const { pathname, searchParams } = new URL(text, 'http://daemon');
  return { path: pathname, query: Object.fromEntries(searchParams) };
}

function checkedBody(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    throw new InvalidArgumentError('It must be JSON, such as \'{"user_ids":["ann"]}\'.');
  }
  return text;
}
