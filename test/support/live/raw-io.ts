/** Socket.IO spoken by hand over one WebSocket, for what its client would never send. */
import { WebSocket } from 'ws';

const PATIENCE_MS = 60_000;

export class RawIo {
  readonly ws: WebSocket;
  /** Every packet, as text: "0" opens, "40" connects, "44" refuses, "42" is an event. */
  readonly packets: string[] = [];
  #waiters: (() => void)[] = [];

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data) => {
      const packet = data.toString();
      if (packet === '2') ws.send('3');
      this.packets.push(packet);
      this.#wake();
    });
    ws.on('error', () => {});
  }

  /** Resolves once the handshake is done; rejects when it is turned away. `query` follows what every client asks for. */
  static open(liveUrl: string, query = '', headers: Readonly<Record<string, string>> = {}): Promise<RawIo> {
    return new Promise((resolve, reject) => {
      const ws = new WebSocket(`${liveUrl}/socket.io/?EIO=4&transport=websocket${query}`, { headers });
      const client = new RawIo(ws);
      ws.once('open', () => resolve(client));
      ws.once('error', reject);
    });
  }

  send(...packets: readonly string[]): void {
    for (const packet of packets) this.ws.send(packet);
  }

  connect(auth: object): void {
    this.send(`40${JSON.stringify(auth)}`);
  }

  count(text: string): number {
    return this.packets.filter((packet) => packet.includes(text)).length;
  }

  /** Resolves when the connection is closed. */
  get closed(): Promise<void> {
    if (this.ws.readyState === WebSocket.CLOSED) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the connection is still open')), PATIENCE_MS);
      this.ws.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Resolves when `text` has come in `times` packets. */
  async until(text: string, times = 1): Promise<void> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (this.count(text) < times) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) throw new Error(`${text} did not come ${times} times, but: ${this.packets.join('\n')}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}
