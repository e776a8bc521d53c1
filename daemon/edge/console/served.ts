/** Whether the console is there for a request. It keeps CO8 (daemon/RULES.md). */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** `loopback`: only for browsers on this machine. */
export type ConsoleMode = 'off' | 'loopback' | 'on';

const LOOPBACK_ADDRESSES = new BlockList();
LOOPBACK_ADDRESSES.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK_ADDRESSES.addAddress('::1', 'ipv6');

/** Headers by which a proxy says that it passes on the request of somebody else. */
const PASSED_ON = /^(forwarded|via|x-real-ip|x-forwarded-.*)$/;

/**
 * With `loopback`, the peer is on this machine, asks for this machine by a name of its own, and passes on nobody's request: behind a proxy on
 * the same machine every peer has a loopback address. A proxy that neither says so nor keeps the host that was asked for looks like a browser.
 */
export function isConsoleServed(mode: ConsoleMode, { socket, headers }: Pick<IncomingMessage, 'headers' | 'socket'>): boolean {
  if (mode !== 'loopback') return mode === 'on';
  if (!isLoopbackAddress(socket.remoteAddress ?? '')) return false;
  return isLoopbackHost(headers.host ?? '') && !Object.keys(headers).some((name) => PASSED_ON.test(name));
}

/** An IPv4 address may be written as one of IPv6. */
function isLoopbackAddress(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && LOOPBACK_ADDRESSES.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

function isLoopbackHost(host: string): boolean {
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || isLoopbackAddress(name);
}
