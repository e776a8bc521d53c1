/** Whether the console is there for a request. It keeps CO8 (daemon/RULES.md). */
import type { IncomingMessage } from 'node:http';
import { isLoopback, isLoopbackAddress } from '../../base/loopback.ts';

/** `loopback`: only for browsers on this machine. */
export type ConsoleMode = 'off' | 'loopback' | 'on';

/** Headers by which a proxy says that it passes on the request of somebody else. */
const PASSED_ON = /^(forwarded|via|x-real-ip|x-forwarded-.*)$/;

/**
 * With `loopback`, the peer is on this machine, asks for this machine by a name of its own, and passes on nobody's request: behind a proxy on
 * the same machine every peer has a loopback address. A proxy that neither says so nor keeps the host that was asked for looks like a browser.
 */
export function isConsoleServed(mode: ConsoleMode, { socket, headers }: Pick<IncomingMessage, 'headers' | 'socket'>): boolean {
  if (mode !== 'loopback') return mode === 'on';
  if (!isLoopbackAddress(socket.remoteAddress ?? '')) return false;
  return isNameOfThisMachine(headers.host ?? '') && !Object.keys(headers).some((name) => PASSED_ON.test(name));
}

/** Browsers look up no name below `localhost`: each is this machine. */
function isNameOfThisMachine(host: string): boolean {
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  return isLoopback(name) || name.endsWith('.localhost');
}
