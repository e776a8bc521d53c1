/** An emulator in the process of the test, and clients for it. */
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import type { EmulatedApp } from '../../../daemon/emulator/app.ts';
import { Emulator } from '../../../daemon/emulator/emulator.ts';
import { emulatorVariables } from '../../../daemon/emulator/settings.ts';
import type { RosterClientOptions } from '../../../protocol/client/options.ts';
import { RosterClient } from '../../../protocol/client/roster-client.ts';
import { apiSecret } from '../../../protocol/client/tokens/secret.ts';
import { send } from '../http/request.ts';
import { API_KEY, API_SECRET, type HttpAnswer } from '../world.ts';

export class EmulatorBench {
  readonly emulator: Emulator;
  readonly #t: TestContext;

  private constructor(emulator: Emulator, t: TestContext) {
    this.emulator = emulator;
    this.#t = t;
  }

  /** On a port of its own, with the key and secret of every test world; ends with the test. */
  static async start(t: TestContext, env: Readonly<Record<string, string>> = {}): Promise<EmulatorBench> {
    const emulator = await Emulator.start({
      listen: { host: '127.0.0.1', port: 0 },
      env: emulatorVariables({ ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET, ...env }),
      logger: () => pino({ level: 'silent' }),
      onFatal: () => {},
    });
    t.after(() => emulator.stop());
    return new EmulatorBench(emulator, t);
  }

  get app(): EmulatedApp {
    return this.emulator.first;
  }

  /** A request below /emulator. */
  async ask(method: string, path: string, body?: unknown, app: EmulatedApp = this.app): Promise<HttpAnswer> {
    const json =
      method === 'POST' ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}) } : { headers: {} };
    const { status, headers, text } = await send(new URL(`/emulator${path}`, app.url), { method, ...json });
    return { status, headers, body: JSON.parse(text) };
  }

  /** A client of a server, or with `options` another one; it comes back after a few milliseconds. */
  client(options: Partial<RosterClientOptions> = {}, app: EmulatedApp = this.app): RosterClient {
    return this.#made({ secret: apiSecret(app.credentials.apiSecret), ...options }, app);
  }

  /** A client without the secret. */
  phone(app: EmulatedApp = this.app): RosterClient {
    return this.#made({}, app);
  }

  #made(options: Partial<RosterClientOptions>, { url, credentials: { apiKey } }: EmulatedApp): RosterClient {
    const client = new RosterClient({ url, apiKey, webSocket: WebSocket, random: () => 0.01, ...options });
    this.#t.after(() => client.disconnectUser());
    return client;
  }

  /** A request of a server to the daemon, as it is: a client would try again. */
  async raw(method: string, path: string, body?: unknown): Promise<HttpAnswer> {
    const { url, credentials } = this.app;
    const headers = { Authorization: await this.token({ server: true }), 'Stream-Auth-Type': 'jwt', 'Content-Type': 'application/json' };
    const sent = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const { status, headers: answered, text } = await send(new URL(`${path}?api_key=${credentials.apiKey}`, url), sent);
    return { status, headers: answered, body: JSON.parse(text) };
  }

  /** A token of the emulator. */
  async token(body: Readonly<Record<string, unknown>>, app: EmulatedApp = this.app): Promise<string> {
    return (await this.ask('POST', '/tokens', body, app)).body.token;
  }
}
