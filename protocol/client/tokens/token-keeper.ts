/** Holds the token for calls, and gets a new one when the old one has ended or soon will. */
import { unanswered } from '../client-error.ts';

/** A token, or a provider: called for the first token, and again when the daemon says that the token has expired or soon will. */
export type TokenSource = string | (() => string | Promise<string>);

/** A call to the provider that takes longer is given up, so that the next caller makes a new one. */
const ANSWER_MS = 20_000;

export class TokenKeeper {
  #source: TokenSource;
  #held: string | undefined;
  #asking: Promise<string> | undefined;

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /** Whether there is a token provider. */
  get canRenew(): boolean {
    return typeof this.#source === 'function';
  }

  /** Rejects with the error of the provider, or with RosterClientError when it takes longer than 20 s. */
  current(): Promise<string> {
    return this.#held === undefined ? this.renew() : Promise.resolve(this.#held);
  }

  /**
   * Asks the provider. Concurrent callers get the same token. `used`: the token that is no longer valid; when another one has
   * arrived meanwhile, the provider is not asked.
   */
  renew(used?: string): Promise<string> {
    const source = this.#source;
    if (typeof source === 'string') return Promise.resolve(source);
    if (used !== undefined && this.#held !== undefined && this.#held !== used) return Promise.resolve(this.#held);
    this.#asking ??= inTime(Promise.resolve().then(source))
      .then((token) => {
        this.#held = token;
        return token;
      })
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  /** Sets a new token that the application got by itself. */
  replace(token: string): void {
    if (typeof this.#source === 'string') this.#source = token;
    this.#held = token;
  }
}

async function inTime(answer: Promise<string>): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unanswered(`the token provider gave no answer in ${ANSWER_MS / 1_000} s`)), ANSWER_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
