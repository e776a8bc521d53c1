/**
 * A WebSocket whose events go to one object. Listeners would take 400 bytes of each connection: a function for each event, what it refers to,
 * and the table of them.
 */
import { WebSocket } from 'ws';

export interface SocketEvents {
  message(data: Buffer, isBinary: boolean): void;
  pong(content: Buffer): void;
  /** A frame breaks the protocol or a limit: `ws` answers with the right close code and then closes. */
  failed(): void;
  over(code: number): void;
}

export class LiveSocket extends WebSocket {
  /** Set as soon as it is open. */
  events: SocketEvents | undefined;

  override emit(event: string | symbol, ...details: unknown[]): boolean {
    const { events } = this;
    if (events === undefined) return super.emit(event, ...details);
    switch (event) {
      case 'message':
        events.message(details[0] as Buffer, details[1] === true);
        return true;
      case 'pong':
        events.pong(details[0] as Buffer);
        return true;
      case 'error':
        events.failed();
        return true;
      case 'close':
        events.over(Number(details[0]));
        return true;
      default:
        return super.emit(event, ...details);
    }
  }
}
