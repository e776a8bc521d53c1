/**
 * Schemathesis (PyPI) against daemons of their own: it makes requests from `/openapi.json`, good ones and bad ones, and holds every answer
 * against it. `npm run test:schema`, with `-- --seconds 600 --seed 8` for a longer or another run; a failing run prints how to repeat a
 * request. Without Python it is skipped, in capitals; exit code 1 when something was found, or when too little was tried.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROUTES } from '../../daemon/edge/routes.ts';
import { type ClientDirectory, startDirectory } from '../clients/directory.ts';
import type { Command } from '../clients/program.ts';
import { preparePython } from '../clients/toolchains.ts';
import { API_KEY, serverToken, userToken } from '../support/world.ts';

/**
 * Left out are checks that rosterd decides otherwise: bodies are read leniently for Go and PHP, the rules refuse what no schema can, an
 * unknown method is 404, and the feeds dialect answers a missing token with 403.
 */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'allow_header_conformance',
  'ignored_auth',
];
/** Fewer would mean that the run proved nothing. */
const CASES_PER_SECOND_MIN = 5;
/** Schemathesis does not try the description itself. */
const OPERATIONS = ROUTES.filter(({ path }) => path !== '/openapi.json').length;

/** The part of the report that is read here. */
interface Report {
  readonly operations: { readonly total: number; readonly tested: number };
  readonly test_cases: { readonly generated: number; readonly unique_failures: number; readonly errored: number };
}

interface Run {
  readonly name: string;
  readonly token: string;
}

const say = (line: string): void => console.log(line);

function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : Number(process.argv[at + 1]);
}

const seconds = option('seconds', 110);
const seed = option('seed', 7);

/** Users whom requests may meet. */
async function fill({ env }: ClientDirectory): Promise<void> {
  const users = Object.fromEntries(['ann', 'bob', '0'].map((id) => [id, { id, name: id }]));
  const response = await fetch(`${env.ROSTERD_URL}/users?api_key=${API_KEY}`, {
    method: 'POST',
    headers: { authorization: serverToken(), 'content-type': 'application/json' },
    body: JSON.stringify({ users }),
  });
  if (!response.ok) throw new Error(`the users could not be made: ${await response.text()}`);
}

/** Resolves with what the program printed. */
async function printed({ file, args }: Command, cwd: string): Promise<string> {
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_PROXY: '*', NO_COLOR: '1' } });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  await new Promise<void>((resolve, reject) => child.on('error', reject).on('close', () => resolve()));
  return text;
}

/** Resolves with whether all is well. */
async function examine(program: Command, { name, token }: Run): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-schema-'));
  const directory = await startDirectory({ 'rate-limits': 'off' });
  try {
    await fill(directory);
    await writeFile(join(folder, 'schemathesis.toml'), `[parameters]\n"query.api_key" = "${API_KEY}"\n`);
    const report = join(folder, 'report.json');
    const args = [
      ...program.args,
      ...['run', `${directory.env.ROSTERD_URL}/openapi.json`, '-H', `Authorization: ${token}`, '--checks', CHECKS.join(',')],
      ...['--max-time', String(seconds), '--seed', String(seed), '--max-examples', '10', '--workers', '1', '--continue-on-failure'],
      ...['--no-shrink', '--output-truncate', 'false', '--warnings', 'off', '--report', 'json', '--report-json-path', report],
    ];
    const text = await printed({ file: program.file, args }, folder);
    return judge(name, text, JSON.parse(await readFile(report, 'utf8')));
  } finally {
    await directory.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function judge(name: string, text: string, { operations, test_cases: cases }: Report): boolean {
  const told = `${name}: ${cases.generated} requests to ${operations.tested} of ${operations.total} operations, seed ${seed}`;
  const problems = [
    ...(cases.unique_failures > 0 ? [`${cases.unique_failures} answers are not as described`] : []),
    ...(cases.errored > 0 ? [`${cases.errored} requests could not be made`] : []),
    ...(operations.tested < OPERATIONS ? [`only ${operations.tested} of ${OPERATIONS} operations were tried`] : []),
    ...(cases.generated < seconds * CASES_PER_SECOND_MIN ? ['too little was tried'] : []),
  ];
  if (problems.length === 0) say(`ok ${told}`);
  else say(`${text}\nnot ok ${told}: ${problems.join('; ')}`);
  return problems.length === 0;
}

async function main(): Promise<number> {
  const prepared = await preparePython(import.meta.dirname, (bin) => ({ file: join(bin, 'schemathesis'), args: [] }));
  if (prepared.kind === 'absent') {
    say(`SKIPPED: THE DESCRIPTION OF THE API WAS NOT TRIED, ${prepared.toolchain} is not installed`);
    return 0;
  }
  if (prepared.kind === 'failed') {
    say(`not ok schemathesis could not be installed: ${prepared.reason}`);
    return 1;
  }
  const runs: readonly Run[] = [
    { name: 'server', token: serverToken() },
    { name: 'client', token: userToken('ann', { iat: Math.floor(Date.now() / 1_000) - 60 }) },
  ];
  const results = await Promise.all(runs.map((run) => examine(prepared.command, run)));
  return results.every((isWell) => isWell) ? 0 : 1;
}

process.exitCode = await main();
