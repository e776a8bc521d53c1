/**
 * Which addresses a webhook must not reach: everything that is not the public internet. Reads addresses in every form in which
 * a resolver or a URL writes them. Pure.
 */

/** The 16-bit groups of an IPv6 address, or the two of an IPv4 address. */
type Groups = readonly number[];

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

/** IPv6 addresses that stand for an IPv4 address: their prefix, and the group at which it begins. */
const EMBEDDING: readonly (readonly [string, number])[] = [
  ['::ffff:0:0/96', 6], // mapped
  ['::ffff:0:0:0/96', 6], // translated
  ['64:ff9b::/96', 6], // NAT64
  ['2002::/16', 1], // 6to4
];

interface Range {
  readonly groups: Groups;
  readonly bits: number;
}

const v4Ranges = V4.map(rangeOf);
const v6Ranges = V6.map(rangeOf);
const embedding = EMBEDDING.map(([text, at]) => ({ range: rangeOf(text), at }));

function rangeOf(text: string): Range {
  const [address = '', bits] = text.split('/');
  const groups = parse(address);
  if (groups === undefined) throw new Error(`${text} is no range of addresses`);
  return { groups, bits: Number(bits) };
}

/** Whether `text` is an IP address that is not public; false for what is no address at all, such as a name. */
export function isPrivateAddress(text: string): boolean {
  const groups = parse(text);
  return groups !== undefined && isPrivate(groups);
}

/** Whether the host of a URL is such an address. The URL standard has brought every spelling of an IPv4 address into one form. */
export function isPrivateHost(hostname: string): boolean {
  return isPrivateAddress(hostname.replace(/^\[(.*)\]$/, '$1'));
}

function isPrivate(groups: Groups): boolean {
  if (groups.length === 2) return v4Ranges.some((range) => contains(range, groups));
  for (const { range, at } of embedding) if (contains(range, groups)) return isPrivate(groups.slice(at, at + 2));
  return v6Ranges.some((range) => contains(range, groups));
}

function contains({ groups: base, bits }: Range, groups: Groups): boolean {
  return base.every((group, index) => {
    const shared = Math.min(16, Math.max(0, bits - index * 16));
    const mask = (0xffff << (16 - shared)) & 0xffff;
    return (group & mask) === ((groups[index] ?? 0) & mask);
  });
}

function parse(text: string): Groups | undefined {
  return text.includes(':') ? parseV6(text) : parseV4(text);
}

function parseV4(text: string): Groups | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = match?.slice(1).map(Number);
  if (bytes === undefined || bytes.some((byte) => byte > 255)) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return [a * 256 + b, c * 256 + d];
}

function parseV6(text: string): Groups | undefined {
  // A zone says through which interface; the address is the same.
  const [address = ''] = text.split('%');
  const halves = address.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = [groupsOf(halves[0] ?? ''), groupsOf(halves[1] ?? '')];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  for (const part of text.split(':')) {
    if (part.includes('.')) {
      const v4 = parseV4(part);
      if (v4 === undefined) return undefined;
      groups.push(...v4);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}
