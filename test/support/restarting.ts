/** A daemon as a process of its own that ends and starts again at the same address, with the same data. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send } from './http/request.ts';
import { RosterdProcess } from './process.ts';
import { API_KEY, API_SECRET, serverToken } from './world.ts';

const DRAIN_MS = 2_000;

export class RestartingDaemon {
  readonly url: string;
  readonly #data: string;
  readonly #port: number;
  #process: RosterdProcess | undefined;
  #written = 0;

  private constructor(data: string, port: number) {
    this.#data = data;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Remove it when it is no longer needed. */
  static async start(): Promise<RestartingDaemon> {
    const daemon = new RestartingDaemon(await mkdtemp(join(tmpdir(), 'rosterd-')), await freePort());
    await daemon.#begin();
    return daemon;
  }

  async #begin(): Promise<void> {
    const place = ['--listen', `127.0.0.1:${this.#port}`, '--data', this.#data, '--log-level', 'error'];
    const env = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET, ROSTERD_DRAIN_MS: String(DRAIN_MS) };
    this.#process = RosterdProcess.run(['serve', ...place], { env });
    await this.#process.listening();
  }

  async restart(signal: NodeJS.Signals): Promise<void> {
    await this.#process?.kill(signal);
    await this.#begin();
  }

  /** Creates users, one request for each, and returns their ids. */
  async write(users: number): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let count = 0; count < users; count++) {
      const id = `u${++this.#written}`;
      const response = await send(`${this.url}/api/v2/users?api_key=${API_KEY}`, {
        method: 'POST',
        headers: { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt', 'Content-Type': 'application/json' },
        body: JSON.stringify({ users: { [id]: { id } } }),
      });
      if (response.status !== 201) throw new Error(`${id} was not written: ${response.status}`);
      ids.push(id);
    }
    return ids;
  }

  async remove(): Promise<void> {
    await this.#process?.kill('SIGKILL');
    await rm(this.#data, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('there is no port');
  return address.port;
}
