/**
 * One emulated application: a port, and behind it a daemon in memory that can be replaced by one that holds something else.
 *
 * It keeps EM1, EM3 and EM6 (README.md).
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { MemoryBlobs } from '../../store/memory/blobs.ts';
import { openMemoryStore } from '../../store/memory/store.ts';
import type { LoadedSnapshot } from '../../store/snapshot.ts';
import type { LoadedSettings } from '../cli/config/config.ts';
import type { Credentials } from '../cli/config/credentials.ts';
import { type RunningDaemon, startDaemon } from '../cli/serve/daemon.ts';
import type { Roster } from '../pipeline/roster.ts';
import { EmulatorClock } from './clock.ts';
import { Deliveries } from './deliveries.ts';
import { Faults } from './faults.ts';
import { type Between, Front } from './front.ts';
import { operationOf, WEBHOOK } from './operations.ts';
import { Snapshots, snapshotOf } from './snapshots.ts';

export interface AppOptions extends LoadedSettings {
  readonly credentials: Credentials;
  readonly logger: Logger;
  /** Serves what is below /emulator. */
  readonly control: (app: EmulatedApp) => Between['control'];
  /** The daemon cannot go on. */
  readonly onFatal: () => void;
}

export class EmulatedApp {
  readonly #options: AppOptions;
  readonly clock = new EmulatorClock();
  readonly faults = new Faults();
  readonly snapshots = new Snapshots();
  readonly deliveries: Deliveries;
  readonly #front: Front;
  #daemon: RunningDaemon | undefined;
  #blobs: MemoryBlobs;
  /** Daemons so far; each has a folder of its own. */
  #count = 0;
  /** Aborted when the daemon is replaced. */
  #present = new AbortController();
  /** Replacements come one after the other. */
  #replacing: Promise<void> = Promise.resolve();

  private constructor(options: AppOptions) {
    this.#options = options;
    this.deliveries = new Deliveries(options.credentials.apiSecret);
    this.#blobs = this.#noFiles();
    const control = options.control(this);
    this.#front = new Front({
      control: (request, response) => {
        const requested = operationOf(request);
        if (requested.operation !== WEBHOOK) return control(request, response);
        this.faults.request(requested, request, response, () => control(request, response));
      },
      request: (request, response, serve) => this.faults.request(operationOf(request), request, response, serve),
      upgrade: (request, socket, serve) => this.faults.upgrade(request, socket, serve),
    });
  }

  /** Rejects when the port cannot be used. */
  static async start(options: AppOptions): Promise<EmulatedApp> {
    const app = new EmulatedApp(options);
    await app.#begin();
    return app;
  }

  get credentials(): Credentials {
    return this.#options.credentials;
  }

  /** `http://127.0.0.1:8800` */
  get url(): string {
    return this.#running.url;
  }

  get roster(): Roster {
    return this.#running.roster;
  }

  get sessions(): RunningDaemon['sessions'] {
    return this.#running.sessions;
  }

  /** Aborted when the directory is replaced by another one. */
  get replaced(): AbortSignal {
    return this.#present.signal;
  }

  /** Cuts every WebSocket without a goodbye. Returns their number. */
  cutLive(): number {
    return this.#front.cutLive();
  }

  /** Forgets everything but the named snapshots. */
  async reset(): Promise<void> {
    await this.#replace(async () => {
      this.clock.reset();
      this.faults.clear();
      this.deliveries.clear();
      this.#blobs = this.#noFiles();
      return undefined;
    });
  }

  /** Throws RosterError as `Snapshots.save`. */
  async save(name: string): Promise<void> {
    const { loaded, bytes } = await snapshotOf(this.roster.directory.freeze());
    const blobs = this.#blobs.copy();
    this.snapshots.save({ name, users: this.roster.directory.size, bytes: bytes + blobs.bytes, loaded, blobs });
  }

  /** Throws RosterError `not_found`. */
  async restore(name: string): Promise<void> {
    const { loaded, blobs } = this.snapshots.find(name);
    await this.#replace(async () => {
      this.#blobs = blobs.copy();
      return loaded;
    });
  }

  /** The same users under a new epoch: whoever resumes must begin again. */
  async loseHistory(): Promise<void> {
    await this.#replace(async (roster) => (await snapshotOf(roster.directory.freeze())).loaded);
  }

  /** Closes the port. */
  async stop(): Promise<void> {
    await this.#replacing.catch(() => {});
    await this.#daemon?.stop();
    await this.#front.close();
  }

  get #running(): RunningDaemon {
    if (this.#daemon === undefined) throw new Error('the daemon of the application is not running');
    return this.#daemon;
  }

  #noFiles(): MemoryBlobs {
    return new MemoryBlobs({ nowMs: () => this.clock.now() });
  }

  /** `next`: what the next daemon begins with, asked for when no request is in progress any more. */
  async #replace(next: (roster: Roster) => Promise<LoadedSnapshot | undefined>): Promise<void> {
    const replaced = this.#replacing.then(async () => {
      await this.#front.hold();
      try {
        const { roster } = this.#running;
        const loaded = await next(roster);
        this.#present.abort();
        this.#present = new AbortController();
        await this.#running.stop();
        await this.#begin(loaded);
      } finally {
        this.#front.release();
      }
    });
    this.#replacing = replaced.catch(() => {});
    await replaced;
  }

  async #begin(loaded?: LoadedSnapshot): Promise<void> {
    const { config, origins, credentials, logger, onFatal } = this.#options;
    const data = join(config.data, String(++this.#count));
    const blobs = this.#blobs;
    this.#daemon = await startDaemon({
      config: { ...config, data },
      origins,
      credentials,
      openStore: async () => openMemoryStore(blobs, loaded),
      logger,
      onFatal,
      clocks: this.clock.clocks,
      createServer: this.#front.createServer,
    });
    await rm(join(config.data, String(this.#count - 1)), { recursive: true, force: true });
  }
}
