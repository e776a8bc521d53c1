/**
 * The addresses that a webhook must not reach: everything outside the public internet, in every form in which a resolver or
 * a URL writes an address.
 */
import { BlockList, isIP } from 'node:net';

const V4: readonly string[] = [
  '0.0.0.0/8', // this host
  '10.0.0.0/8',
  '100.64.0.0/10', // carriers' NAT; metadata of one cloud
  '127.0.0.0/8',
  '168.63.129.16/32', // metadata of one cloud, at a public address
  '169.254.0.0/16', // link-local; metadata of most clouds
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
];

const V6: readonly string[] = [
  '::/96', // unspecified, loopback, IPv4-compatible
  '64:ff9b:1::/48', // local NAT64
  '100::/64',
  '2001::/23', // Teredo and other protocols
  '2001:db8::/32',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7', // unique local; metadata of one cloud
  'fe80::/10', // link-local
  'fec0::/10',
  'ff00::/8', // multicast
];

/** Prefixes of IPv6 addresses that end in an IPv4 address: mapped, translated, NAT64. */
const ENDING_IN_V4: readonly string[] = ['::ffff:', '::ffff:0:', '64:ff9b::'];

const notPublic = new BlockList();

for (const range of V4) {
  const [address = '', length] = range.split('/');
  const bits = Number(length);
  notPublic.addSubnet(address, bits, 'ipv4');
  for (const prefix of ENDING_IN_V4) notPublic.addSubnet(`${prefix}${address}`, 96 + bits, 'ipv6');
  notPublic.addSubnet(sixToFour(address), 16 + bits, 'ipv6');
}
for (const range of V6) {
  const [address = '', length] = range.split('/');
  notPublic.addSubnet(address, Number(length), 'ipv6');
}

/** The network of 6to4 that belongs to an IPv4 address. */
function sixToFour(address: string): string {
  const hex = Buffer.from(address.split('.').map(Number)).toString('hex');
  return `2002:${hex.slice(0, 4)}:${hex.slice(4)}::`;
}

/** Whether `text` is an IP address that is not public; false for text that is no address, such as a name. */
export function isPrivateAddress(text: string): boolean {
  // A zone names the interface; the address is the same.
  const [address = ''] = text.split('%');
  const family = isIP(address);
  return family !== 0 && notPublic.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** Whether the host of a URL is such an address. The URL standard normalizes every spelling of an IPv4 address. */
export function isPrivateHost(hostname: string): boolean {
  return isPrivateAddress(hostname.replace(/^\[(.*)\]$/, '$1'));
}
