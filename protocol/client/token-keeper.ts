/** Holds the token that calls are made with, and gets a new one when the old one has ended. */

/** A token, or what gives one: asked when the first is needed, and again when the daemon says that it has expired or soon will. */
export type TokenSource = string | (() => string | Promise<string>);

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

  /** Rejects with whatever the provider rejects with. */
  current(): Promise<string> {
    return this.#held === undefined ? this.renew() : Promise.resolve(this.#held);
  }

  /** Asks the provider. Callers that ask at the same time get the same token. */
  renew(): Promise<string> {
    const source = this.#source;
    if (typeof source === 'string') return Promise.resolve(source);
    this.#asking ??= Promise.resolve()
      .then(source)
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
