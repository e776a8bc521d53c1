/**
 * The server of a daemon behind a front: a server of Node in all respects but that it has no address of its own. The front hands it every
 * request and upgrade, so that the daemon can be replaced while the port stays open and clients keep their connections.
 */
import { type RequestListener, Server, type ServerOptions } from 'node:http';
import type { AddressInfo, ListenOptions } from 'node:net';

/** Opens the port, when that is not done yet. Rejects with the error of the system. */
export type OpenPort = (place: { readonly host: string; readonly port: number }) => Promise<AddressInfo>;

export class ServerBehind extends Server {
  readonly #open: OpenPort;
  #address: AddressInfo | null = null;

  constructor(options: ServerOptions, handler: RequestListener, open: OpenPort) {
    super(options, handler);
    this.#open = open;
  }

  /** In the one form that the daemon uses. */
  override listen(...[place, listening]: readonly unknown[]): this {
    const { host = '127.0.0.1', port = 0 } = place as ListenOptions;
    this.#open({ host, port }).then(
      (address) => {
        this.#address = address;
        this.emit('listening');
        if (typeof listening === 'function') listening();
      },
      (error: unknown) => this.emit('error', error),
    );
    return this;
  }

  override address(): AddressInfo | null {
    return this.#address;
  }

  override close(closed?: (error?: Error) => void): this {
    this.#address = null;
    // Node reports that nothing listens, and lets go of the server all the same.
    return super.close(() => closed?.());
  }
}
