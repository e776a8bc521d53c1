/**
 * A daemon for programs that stay connected over its restarts. A program asks for these over HTTP: `POST /write?users=3` writes new users,
 * and `POST /restart?signal=SIGTERM&users=3` ends the daemon, starts it again and writes users at once. Each answers the ids of
 * the users, in the order in which they were written.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RestartingDaemon } from '../support/restarting.ts';
import { API_KEY, serverToken } from '../support/world.ts';
import type { ClientDirectory } from './directory.ts';

/** A daemon, or a cluster of them. */
export interface Restartable {
  readonly url: string;
  readonly apiKey: string;
  readonly token: string;
  /** Resolves when it serves again. */
  restart(signal: NodeJS.Signals): Promise<void>;
  /** Resolves with the ids. */
  write(users: number): Promise<readonly string[]>;
  remove(): Promise<void>;
}

export async function startRestarting(): Promise<ClientDirectory> {
  const daemon = await RestartingDaemon.start();
  return await controlled({
    ...{ url: daemon.url, apiKey: API_KEY, token: serverToken() },
    restart: (signal) => daemon.restart(signal),
    write: (users) => daemon.write(users),
    remove: () => daemon.remove(),
  });
}

export async function controlled(daemon: Restartable): Promise<ClientDirectory> {
  const control = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://control');
    const signal = searchParams.get('signal') === 'SIGKILL' ? 'SIGKILL' : 'SIGTERM';
    const restarted = pathname === '/restart' ? daemon.restart(signal) : Promise.resolve();
    restarted
      .then(() => daemon.write(Number(searchParams.get('users'))))
      .then((ids) => response.end(JSON.stringify(ids)))
      .catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => control.listen(0, '127.0.0.1', resolve));
  return {
    env: {
      ROSTERD_URL: daemon.url,
      ROSTERD_CONTROL_URL: `http://127.0.0.1:${(control.address() as AddressInfo).port}`,
      ROSTERD_API_KEY: daemon.apiKey,
      ROSTERD_SERVER_TOKEN: daemon.token,
    },
    stop: async () => {
      control.close();
      control.closeAllConnections();
      await daemon.remove();
    },
  };
}
