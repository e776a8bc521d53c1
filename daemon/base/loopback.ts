/** The addresses that only this machine reaches: the one definition of loopback. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** However they are written: an IPv4 address may stand as one of IPv6, and zeros may be left out or not. */
const LOOPBACK_OF_IPV6 = new BlockList();
LOOPBACK_OF_IPV6.addAddress('::1', 'ipv6');
LOOPBACK_OF_IPV6.addSubnet('127.0.0.0', 8, 'ipv4');

/** Whether an IP address is loopback. False for a name, and for anything else that is no address. */
export function isLoopbackAddress(address: string): boolean {
  return isIPv4(address) ? address.startsWith('127.') : isIPv6(address) && LOOPBACK_OF_IPV6.check(address, 'ipv6');
}

/** Whether a host is this machine alone. Names are not looked up: only `localhost` counts, in any case, beside loopback addresses. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || isLoopbackAddress(host);
}
