/**
 * Strangers: callers whom nobody vouches for, because anybody can come as one more of them: anonymous callers, and guests. They are
 * counted by the network that they come from, and all of them together apart from users, so that none takes anything from these.
 */
import type { Caller } from '../../protocol/base/tokens.ts';
import { isLoopbackAddress } from '../base/loopback.ts';
import { GUEST_ROLE } from '../core/users/guests.ts';
import type { DirectoryReader } from './http/backend.ts';

export interface Stranger {
  /** Undefined: the loopback address. Behind a proxy on the same machine everyone has it, so it does not tell one caller from another. */
  readonly network: string | undefined;
}

/** An address that does not tell one caller from another. */
export const LOOPBACK = '127.0.0.1';

/** The caller as a stranger, if it is one. `address`: of the machine that it calls from. */
export function strangerOf(caller: Caller, address: string | undefined, directory: Pick<DirectoryReader, 'user'>): Stranger | undefined {
  const isStranger = caller.kind === 'anonymous' || (caller.kind === 'user' && directory.user(caller.id)?.role === GUEST_ROLE);
  return isStranger ? { network: networkOf(address ?? '') } : undefined;
}

/**
 * What one caller has for itself: an IPv4 address, or the first half of an IPv6 address, as whoever has one has the whole rest of it.
 * Undefined for the loopback address.
 */
export function networkOf(address: string): string | undefined {
  if (isLoopbackAddress(address)) return undefined;
  if (!/[:%]/.test(address)) return address;
  const [bare = ''] = address.replace(/^::ffff:(?=[\d.]+$)/i, '').split('%');
  if (!bare.includes(':')) return bare;
  const [head = '', tail] = bare.split('::');
  const first = groupsOf(head);
  const last = groupsOf(tail ?? '');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  return `${[...first, ...Array.from({ length: zeros }, () => '0'), ...last].slice(0, 4).join(':')}::/64`;
}

/** An IPv4 address at the end takes the place of two groups. */
function groupsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(':').flatMap((group) => (group.includes('.') ? [group, group] : [group]));
}
