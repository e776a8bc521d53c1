/**
 * The emulated applications of one process: the first, which is there from the start, and those that tests ask for.
 *
 * It keeps EM4 and EM5 (README.md).
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { RosterError } from '../../protocol/base/errors.ts';
import type { ListenAddress } from '../cli/config/setting-kinds.ts';
import type { Config } from '../cli/config/settings.ts';
import { type AppOptions, EmulatedApp } from './app.ts';
import { createControl } from './control.ts';
import type { AllApps, NewApp } from './endpoints/endpoint.ts';
import { appConfig, refusedSettings } from './settings.ts';

/** Each has a port and a daemon. */
export const APPS_MAX = 64;

export interface EmulatorOptions {
  /** Loopback addresses only. Port 0: any free one. */
  readonly listen: ListenAddress;
  /** Variables with the settings of every application: see `emulatorVariables`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: (level: Config['logLevel']) => Logger;
  /** A daemon cannot go on. */
  readonly onFatal: () => void;
}

export class Emulator implements AllApps {
  readonly #options: EmulatorOptions;
  readonly #folder: string;
  readonly #apps = new Map<string, EmulatedApp>();
  /** Keys of applications that are starting. */
  readonly #starting = new Set<string>();
  #first: EmulatedApp | undefined;
  #made = 0;

  private constructor(options: EmulatorOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  /** Starts the first application. Rejects, and leaves nothing behind, when the address cannot be used or a variable is wrong (ConfigError). */
  static async start(options: EmulatorOptions): Promise<Emulator> {
    const emulator = new Emulator(options, await mkdtemp(join(tmpdir(), 'rosterd-emulator-')));
    try {
      const { ROSTERD_API_KEY: key, ROSTERD_API_SECRET: secret } = options.env;
      emulator.#first = await emulator.#start({ key: key || undefined, secret: secret || undefined }, options.listen.port);
      return emulator;
    } catch (error) {
      await emulator.stop();
      throw error;
    }
  }

  get first(): EmulatedApp {
    if (this.#first === undefined) throw new Error('the emulator has not started');
    return this.#first;
  }

  get apps(): readonly EmulatedApp[] {
    return [...this.#apps.values()];
  }

  /** Rejects with RosterError: `conflict` for a key that is taken and for too many, `input` for settings that are not usable. */
  async add(app: NewApp): Promise<EmulatedApp> {
    return await this.#start(app, 0).catch((error: unknown) => {
      throw refusedSettings(error);
    });
  }

  /** Rejects with RosterError `not_found`, and `conflict` for the first application and for `asked`, through which the request came. */
  async remove(key: string, asked: EmulatedApp): Promise<void> {
    const app = this.#apps.get(key);
    if (app === undefined)
      throw new RosterError('not_found', `there is no application "${key}"; there are ${[...this.#apps.keys()].join(', ')}`);
    if (app === this.#first)
      throw new RosterError('conflict', 'the first application ends with the emulator; POST /emulator/reset empties it');
    if (app === asked)
      throw new RosterError('conflict', `ask another application to remove this one: ${this.first.url}/emulator/apps/${key}`);
    this.#apps.delete(key);
    await app.stop();
  }

  /** Stops all applications, and removes the temporary folder. */
  async stop(): Promise<void> {
    await Promise.all(this.apps.map((app) => app.stop()));
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  async #start({ key = randomBytes(8).toString('hex'), secret, settings }: NewApp, port: number): Promise<EmulatedApp> {
    if (this.#apps.has(key) || this.#starting.has(key)) throw new RosterError('conflict', `key: there is an application "${key}" already`);
    if (this.#apps.size + this.#starting.size >= APPS_MAX)
      throw new RosterError(
        'conflict',
        `there are ${APPS_MAX} applications, and there can be no more: DELETE /emulator/apps/{key} removes one`,
      );
    this.#starting.add(key);
    try {
      const apiSecret = secret ?? randomBytes(32).toString('base64url');
      const data = join(this.#folder, String(++this.#made));
      const { env, logger, onFatal, listen } = this.#options;
      // A name may stand for several addresses, and there is one front.
      const host = listen.host.toLowerCase() === 'localhost' ? '127.0.0.1' : listen.host;
      const { config, origins } = appConfig({ host, port, data, apiKey: key, apiSecret }, env, settings);
      const options: AppOptions = {
        config,
        origins,
        credentials: { apiKey: key, apiSecret, origin: 'configured' },
        logger: logger(config.logLevel),
        onFatal,
        control: (app) => createControl(this, app),
      };
      const app = await EmulatedApp.start(options);
      this.#apps.set(key, app);
      return app;
    } finally {
      this.#starting.delete(key);
    }
  }
}
