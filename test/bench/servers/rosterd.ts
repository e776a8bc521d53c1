/** rosterd as it is installed: the built program, with its defaults, in a data directory of its own. */
import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encodeToken } from '../../../protocol/base/tokens.ts';
import { ServerProcess } from './server-process.ts';

/** ROSTERD_BENCH_MAIN names another build, to compare it with. */
export const MAIN = process.env.ROSTERD_BENCH_MAIN ?? resolve(import.meta.dirname, '../../../dist/daemon/main.js');
export const API_KEY = 'bench-key';
export const API_SECRET = 'bench-secret-that-is-long-enough-for-anything';

/** As `npm start` gives it to Node. */
const NODE_FLAGS = ['--max-semi-space-size=32'];

const sign = (input: string): string => createHmac('sha256', API_SECRET).update(input).digest('base64url');

export const SERVER_TOKEN = encodeToken({ server: true }, sign);

export function userToken(id: string): string {
  return encodeToken({ user_id: id }, sign);
}

/** Path and headers of an upsert with a server token. */
export const UPSERT = { path: `/api/v2/users?api_key=${API_KEY}`, headers: { Authorization: SERVER_TOKEN, 'Stream-Auth-Type': 'jwt' } };

export class Rosterd {
  readonly server: ServerProcess;
  readonly data: string;

  private constructor(server: ServerProcess, data: string) {
    this.server = server;
    this.data = data;
  }

  /** `flags` are added to the defaults; `data` is a directory that a run before has left. */
  static async start(flags: readonly string[] = [], data?: string): Promise<Rosterd> {
    if (!existsSync(MAIN)) throw new Error('rosterd is not built: npm run build');
    const directory = data ?? (await mkdtemp(join(process.env.ROSTERD_BENCH_DIR ?? tmpdir(), 'rosterd-bench-')));
    const server = await ServerProcess.spawn({
      args: [...NODE_FLAGS, MAIN, 'serve', '--listen', '127.0.0.1:0', '--data', directory, '--drain-ms', '0', ...flags],
      env: { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET },
      // To a file, as an operator would: what is logged by default is part of the cost.
      errorLog: join(directory, 'log.ndjson'),
    }).catch(async (error: unknown) => {
      if (data === undefined) await rm(directory, { recursive: true, force: true });
      throw error;
    });
    return new Rosterd(server, directory);
  }

  /** Lines of the log with this message. */
  async logged(message: string): Promise<Record<string, unknown>[]> {
    const lines = (await readFile(join(this.data, 'log.ndjson'), 'utf8')).split('\n');
    return lines.filter((line) => line.includes(`"${message}"`)).map((line) => JSON.parse(line));
  }

  /** Stops it and removes its data. */
  async end(): Promise<void> {
    await this.server.stop('SIGKILL');
    await rm(this.data, { recursive: true, force: true });
  }
}
