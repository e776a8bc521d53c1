/** The address of a server that listens on TCP: `http://127.0.0.1:8800`. */
import type { AddressInfo } from 'node:net';

export function serverUrl({ family, address, port }: AddressInfo, isTls = false): string {
  return `${isTls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
