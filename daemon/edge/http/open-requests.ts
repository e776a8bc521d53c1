/**
 * Requests in progress. A stop waits for them and then ends every connection: Node does not find all of those that are kept open for later
 * requests, and would wait for their timeout.
 */
import type { Server } from 'node:http';

export class OpenRequests {
  #count = 0;
  #onNone: () => void = () => {};

  constructor(server: Server) {
    server.on('request', (_request, response) => {
      this.#count++;
      response.once('close', () => {
        this.#count--;
        if (this.#count === 0) this.#onNone();
      });
    });
  }

  /** Resolves when no request is left, or after `maxMs`. */
  async done(maxMs: number): Promise<void> {
    if (this.#count === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, maxMs);
      this.#onNone = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
