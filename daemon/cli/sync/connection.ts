/** Shared by all `sync` commands: the connection to the daemon, and the handling of Ctrl-C. */
import type { Credentials } from '../config/credentials.ts';
import type { CommandIo } from '../io.ts';
import { serverToken } from '../token.ts';
import { packageVersion } from '../version.ts';
import { createHttpClient, type HttpClient, type HttpClientOptions } from './http-client.ts';

/** As a server, with the credentials of the settings. */
export function connectDaemon(
  url: string,
  credentials: Credentials,
  options: Pick<HttpClientOptions, 'sockets' | 'timeoutMs'>,
): HttpClient {
  const { apiKey, apiSecret } = credentials;
  return createHttpClient({ url, apiKey, token: serverToken(apiSecret), client: `rosterd-sync/${packageVersion()}`, ...options });
}

/** The first Ctrl-C lets requests in flight finish, the second ends at once. */
export class Interrupts {
  readonly #stop = new AbortController();
  readonly #leave = new AbortController();
  /** Prints a sentence: above the bar as soon as there is one. */
  talk: (text: string) => void;
  /** Ignores interrupts from now on. */
  readonly end: () => void;

  constructor(io: CommandIo) {
    this.talk = (text) => io.stderr.write(`rosterd: ${text}\n`);
    this.end = io.onInterrupt(() => this.#onInterrupt());
  }

  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  get leave(): AbortSignal {
    return this.#leave.signal;
  }

  #onInterrupt(): void {
    if (this.#stop.signal.aborted) this.#leave.abort(new Error('left'));
    else {
      this.talk('stopping; requests on their way may finish. Press Ctrl-C again to leave at once');
      this.#stop.abort();
    }
  }
}
