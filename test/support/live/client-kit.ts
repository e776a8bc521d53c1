/** What tests of the client library share: sockets that can be cut, and a daemon that can be stopped and started again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import type { RosterClientOptions } from '../../../protocol/client/options.ts';
import { RosterClient } from '../../../protocol/client/roster-client.ts';
import { apiSecret } from '../../../protocol/client/tokens/secret.ts';
import { API_KEY, API_SECRET, World } from '../world.ts';

/** A daemon at one address, over stops and starts. */
export class Host {
  readonly #t: TestContext;
  readonly #flags: Readonly<Record<string, string>>;
  readonly #data: string;
  world: World;

  private constructor(t: TestContext, flags: Readonly<Record<string, string>>, data: string, world: World) {
    this.#t = t;
    this.#flags = flags;
    this.#data = data;
    this.world = world;
  }

  static async start(t: TestContext, flags: Readonly<Record<string, string>> = {}): Promise<Host> {
    const data = await mkdtemp(join(tmpdir(), 'rosterd-'));
    const all = { listen: `127.0.0.1:${await freePort()}`, ...flags };
    const world = await World.start(t, { flags: all, data });
    t.after(() => rm(data, { recursive: true, force: true }));
    return new Host(t, all, data, world);
  }

  get url(): string {
    return this.world.daemon.url;
  }

  async restart(): Promise<void> {
    await this.world.stop();
    this.world = await World.start(this.#t, { flags: this.#flags, data: this.#data });
  }
}

export interface Cuttable {
  readonly client: RosterClient;
  /** Cuts the connection as a network failure would. */
  cut(): void;
  /** Until it is called again with `false`, nobody is reached. */
  isolate(isAlone: boolean): void;
  /** Sockets that were opened. */
  readonly sockets: readonly WebSocket[];
}

/** Where nothing listens. */
const NOBODY = 'ws://127.0.0.1:1';

/** A client whose connection can be cut. It comes back after a few milliseconds. */
export function cuttable(t: TestContext, url: string, options: Partial<RosterClientOptions> = {}): Cuttable {
  const sockets: WebSocket[] = [];
  let isIsolated = false;
  class Socket extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(isIsolated ? NOBODY : address, protocols);
      if (!isIsolated) sockets.push(this);
    }
  }
  const client = new RosterClient({ url, apiKey: API_KEY, webSocket: Socket, random: () => 0.01, ...options });
  t.after(() => client.disconnectUser());
  const isolate = (isAlone: boolean): void => {
    isIsolated = isAlone;
  };
  return { client, cut: () => sockets.at(-1)?.terminate(), isolate, sockets };
}

/** The client of a server, with the secret. */
export function serverClient(t: TestContext, url: string, options: Partial<RosterClientOptions> = {}): Cuttable {
  return cuttable(t, url, { secret: apiSecret(API_SECRET), ...options });
}
