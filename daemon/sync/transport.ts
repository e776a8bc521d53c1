/** How a batch reaches the daemon, whatever lies between: HTTP for `rosterd sync`, nothing for an import inside the daemon. */

export interface Answer {
  readonly status: number;
  /** By lower-case name. */
  header(name: string): string | undefined;
  readonly body: string;
}

/** Brings one body of `POST /users` there. Rejects with TransportError, or with the reason of `signal` once it aborts. */
export type Send = (body: string, signal: AbortSignal) => Promise<Answer>;

/** No answer: refused, cut, timed out. The request may have been carried out all the same. */
export class TransportError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransportError';
  }
}
