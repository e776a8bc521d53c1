/**
 * Keeps a link: after it is lost, the servers are tried in turn until one takes writes and has the known history. Nothing else decides which
 * server is used; the safety of an append never rests on it.
 */
import { LogClosed, LogEpochChanged } from '../../log.ts';
import { ServerLink } from './link.ts';
import { type PostgresTarget, PostgresUnusable } from './target.ts';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** How long the check of the history may take on a new link. Not on the first one: it may have a schema to migrate. */
const PREPARE_MS = 10_000;

export interface LinksOptions {
  readonly targets: readonly PostgresTarget[];
  readonly turnMs: number;
  /** Checks the history before anybody uses the link. Rejecting with LogEpochChanged ends everything, with another error the link. */
  readonly prepare: (link: ServerLink) => Promise<void>;
  /** The first connection has to be waited for; called again when the reason is another one. */
  readonly onAwaited?: (reason: string) => void;
  readonly onUp: (link: ServerLink) => void;
  readonly onDown: (reason: string) => void;
  readonly onFatal: (error: LogEpochChanged) => void;
}

export class ServerLinks {
  readonly #options: LinksOptions;
  #link: ServerLink | undefined;
  #waiting: { readonly resolve: (link: ServerLink) => void; readonly reject: (error: Error) => void }[] = [];
  #end: Error | undefined;
  #wake: () => void = () => {};

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Connects for the first time. Rejects with PostgresUnusable, or after `withinMs` with the reason of the last attempt. */
  async start(withinMs: number): Promise<void> {
    const giveUpAt = performance.now() + withinMs;
    let said = '';
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const found = await this.#attempt();
      if (found instanceof ServerLink) return this.#use(found);
      if (found instanceof PostgresUnusable || found instanceof LogEpochChanged) throw found;
      if (said !== found.message) this.#options.onAwaited?.(found.message);
      said = found.message;
      if (performance.now() + pauseMs > giveUpAt) throw new PostgresUnusable(this.#names, found.message, { cause: found });
      await this.#pause(pauseMs);
    }
  }

  get #names(): string {
    return this.#options.targets.map(({ name }) => name).join(', ');
  }

  get current(): ServerLink | undefined {
    return this.#link;
  }

  /** The link, as soon as there is one. Rejects when the log is closed or its history was replaced. */
  ready(): Promise<ServerLink> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    if (this.#link !== undefined) return Promise.resolve(this.#link);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Nothing is connected to any more; who waits gets the error. */
  async close(error: Error = new LogClosed()): Promise<void> {
    this.#end ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#end);
    this.#wake();
    const link = this.#link;
    this.#link = undefined;
    await link?.close();
  }

  #use(link: ServerLink): void {
    if (this.#end !== undefined) return void link.close();
    this.#link = link;
    link.onLost = (error) => this.#lost(link, error);
    if (link.isOver) {
      this.#lost(link, new Error('the connection was lost at once'));
      return;
    }
    this.#options.onUp(link);
    for (const { resolve } of this.#waiting.splice(0)) resolve(link);
  }

  #lost(link: ServerLink, error: Error): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#options.onDown(error.message);
    if (this.#end === undefined) void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; this.#end === undefined; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      const found = await this.#attempt(PREPARE_MS);
      if (found instanceof ServerLink) return this.#use(found);
      if (found instanceof LogEpochChanged) return this.#options.onFatal(found);
      this.#options.onDown(found.message);
      await this.#pause(pauseMs);
    }
  }

  /** The first server that can be used, or the last reason why none can. */
  async #attempt(prepareMs?: number): Promise<ServerLink | Error> {
    let reason = new Error('no server is named');
    for (const target of this.#options.targets) {
      let link: ServerLink | undefined;
      let late: NodeJS.Timeout | undefined;
      try {
        link = await ServerLink.open(target, this.#options.turnMs);
        // Nothing watches over it before it is used.
        late = prepareMs === undefined ? undefined : setTimeout(() => void link?.close(), prepareMs);
        await this.#options.prepare(link);
        return link;
      } catch (error) {
        await link?.close();
        if (error instanceof LogEpochChanged) return error;
        // What somebody has to put right is said rather than that another server does not answer.
        if (!(reason instanceof PostgresUnusable)) reason = error instanceof Error ? error : new Error(String(error));
      } finally {
        clearTimeout(late);
      }
    }
    return reason;
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
