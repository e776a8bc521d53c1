/** The messages of live sessions about the connection itself, and refusals of frames. Pure. */
import { type RosterError, renderChatError } from '../../../../protocol/base/errors.ts';
import type { ClientFrame } from '../../../../protocol/live/client-frames.ts';
import { retryHint } from './refusal.ts';

/** The connection that sends a message, and the time. */
export interface Stamp {
  readonly connection_id: string;
  /** In the form that the client asked for. */
  readonly created_at: string | number;
}

/** A heartbeat message. `more`: further fields. */
export function healthCheck(stamp: Stamp, more: object): object {
  return { type: 'health.check', ...stamp, ...more };
}

/** The last message before the connection ends with an error. `re`: the id of the connect frame that is refused. */
export function connectionError(stamp: Stamp, error: RosterError, re?: string | number): object {
  return { type: 'connection.error', re, ...stamp, error: renderChatError(error, 'Connect', '0.00ms'), ...retryHint(error) };
}

/** The name of a frame's verb in errors, and in rate limits where it counts against one. */
export const OPERATIONS: Readonly<Record<ClientFrame['op'], string>> = {
  connect: 'Connect',
  sub: 'Subscribe',
  page: 'Subscribe',
  unsub: 'Subscribe',
  update: 'UpdateUsersPartial',
  upsert: 'UpdateUsers',
  refresh: 'RefreshToken',
  ack: 'Acknowledge',
  ping: 'Ping',
};

/** The answer to a refused frame. */
export function frameError(op: ClientFrame['op'], error: RosterError, re: ClientFrame['id']): object {
  return { re, error: renderChatError(error, OPERATIONS[op], '0.00ms') };
}
