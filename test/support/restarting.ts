/** A daemon as a process of its own that ends and starts again at the same address, with the same data. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../daemon/cli/cluster/free-port.ts';
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
      await writeUser(id, { url: this.url, apiKey: API_KEY, token: serverToken() });
      ids.push(id);
    }
    return ids;
  }

  async remove(): Promise<void> {
    await this.#process?.kill('SIGKILL');
    await rm(this.#data, { recursive: true, force: true });
  }
}

/** Creates a user. Rejects when it is refused. */
export async function writeUser(id: string, { url, apiKey, token }: Readonly<Record<'url' | 'apiKey' | 'token', string>>): Promise<void> {
  const response = await send(`${url}/api/v2/users?api_key=${apiKey}`, {
    method: 'POST',
    headers: { Authorization: token, 'Stream-Auth-Type': 'jwt', 'Content-Type': 'application/json' },
    body: JSON.stringify({ users: { [id]: { id } } }),
  });
  if (response.status !== 201) throw new Error(`${id} was not written: ${response.status}`);
}
