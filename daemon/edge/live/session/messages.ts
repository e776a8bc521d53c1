/** What live sessions say of the connection itself, and how they refuse a frame. Pure. */
import { type RosterError, renderChatError } from '../../../../protocol/base/errors.ts';
import type { ClientFrame } from '../../../../protocol/live/client-frames.ts';
import { retryHint } from './refusal.ts';

/** Which connection says it, and when. */
export interface Stamp {
  readonly connection_id: string;
  /** In the form that the client asked for. */
  readonly created_at: string | number;
}

/** A sign of life. `more`: what else it says. */
export function healthCheck(stamp: Stamp, more: object): object {
  return { type: 'health.check', ...stamp, ...more };
}

/** The last thing that is said before the connection ends with an error. `re`: the id of the connect frame that is refused. */
export function connectionError(stamp: Stamp, error: RosterError, re?: string | number): object {
  return { type: 'connection.error', re, ...stamp, error: renderChatError(error, 'Connect', '0.00ms'), ...retryHint(error) };
}

/** What the verb of a frame is called in errors, and where it counts against a limit, in that. */
export const OPERATIONS: Readonly<Record<ClientFrame['op'], string>> = {
  connect: 'Connect',
  sub: 'Subscribe',
  page: 'Subscribe',
  unsub: 'Unsubscribe',
  update: 'UpdateUsersPartial',
  upsert: 'UpdateUsers',
  refresh: 'RefreshToken',
  ack: 'Acknowledge',
  ping: 'Ping',
};

/** The answer to a frame that is refused. */
export function frameError(op: ClientFrame['op'], error: RosterError, re: ClientFrame['id']): object {
  return { re, error: renderChatError(error, OPERATIONS[op], '0.00ms') };
}
