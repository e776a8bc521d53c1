/** Holds the token that calls are made with, and gets a new one when the old one has ended, or soon will. */
import { unanswered } from '../client-error.ts';

/** A token, or what gives one: asked when the first is needed, and again when the daemon says that it has expired or soon will. */
export type TokenSource = string | (() => string | Promise<string>);

/** A question that takes longer is given up, so that the next caller asks anew. */
const ANSWER_MS = 20_000;

export class TokenKeeper {
  #source: TokenSource;
  #held: string | undefined;
  #asking: Promise<string> | undefined;

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /** Whether there is somebody to ask for another token. */
  get canRenew(): boolean {
    return typeof this.#source === 'function';
  }

  /** Rejects with whatever the provider rejects with, or with RosterClientError when it takes longer than 20 s. */
  current(): Promise<string> {
    return this.#held === undefined ? this.renew() : Promise.resolve(this.#held);
  }

  /**
   * Asks the provider. Callers that ask at the same time get the same token. `used`: the token that is no good any more; when
   * another one came meanwhile, nobody is asked.
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

  /** A new token that the application came by itself. */
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
