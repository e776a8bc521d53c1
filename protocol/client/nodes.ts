/** The addresses of the nodes that a client may use, and the one that it uses now: the connection and the calls share it. */
import { unanswered } from './client-error.ts';

export type NodeUrls = string | readonly string[];

export class Nodes {
  readonly #urls: readonly string[];
  #at = 0;

  /**
   * Begins with any of them, so that clients with the same list spread over all nodes. `random` returns a number in [0, 1); it is not
   * called for a single address. Throws RosterClientError when there is none.
   */
  constructor(url: NodeUrls, random: () => number = Math.random) {
    this.#urls = [...new Set([url].flat())];
    if (this.count === 0) throw unanswered('url has no address');
    if (this.count > 1) this.#at = Math.floor(random() * this.count);
  }

  get count(): number {
    return this.#urls.length;
  }

  get current(): string {
    return this.#urls[this.#at] as string;
  }

  /** The node at `url` does not answer as it should: the next one is used, unless that happened already. */
  leave(url: string): void {
    if (url === this.current) this.#at = (this.#at + 1) % this.count;
  }
}
