/** The verbs of a live connection that write: each counts like a write over HTTP, and is answered once it is durable. */
import { fieldErrors, RosterError } from '../../../../protocol/base/errors.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import type { UpdateFrame, UpsertFrame } from '../../../../protocol/live/client-frames.ts';
import { decodePatches } from '../../../../protocol/users/patch-request.ts';
import { type DateStyle, renderLive } from '../../../../protocol/users/render.ts';
import { decodeUpsert } from '../../../../protocol/users/upsert.ts';
import { actorOf, readerOf } from '../../http/acting.ts';
import type { Stranger } from '../../strangers.ts';
import { countWrite, type LiveContext, liveOrigin } from './context.ts';
import { OPERATIONS } from './messages.ts';

export interface Writer {
  readonly context: LiveContext;
  readonly caller: Caller;
  readonly stranger: Stranger | undefined;
  readonly dates: DateStyle;
}

/** Rejects with RosterError. */
export async function updateUser({ context, caller, stranger, dates }: Writer, frame: UpdateFrame): Promise<object> {
  const { roster } = context;
  await countWrite(context, OPERATIONS[frame.op], caller, stranger);
  const actor = actorOf(caller);
  // Never the request id: otherwise a server that forgot to name a user would change the user whose id is that number. A client may name
  // itself; another name goes on as it is, and is refused like one over HTTP.
  const id = frame.user_id || (caller.kind === 'user' ? caller.id : '');
  if (id === '') throw fieldErrors('input', [{ path: 'user_id', message: 'is needed with a server token' }]);
  const body = { users: [{ id, set: frame.set ?? {}, unset: frame.unset ?? [] }] };
  const { users, seq } = await roster.submit(decodePatches(body, actor), 'live', liveOrigin(caller));
  const user = users[0]?.user;
  if (user === undefined) throw new RosterError('internal');
  return { user: renderLive(user, { online: roster.online(user.id), reader: readerOf(caller, user.id) }, dates), seq };
}

/** Rejects with RosterError. */
export async function upsertUsers({ context, caller, stranger, dates }: Writer, frame: UpsertFrame): Promise<object> {
  const { roster } = context;
  await countWrite(context, OPERATIONS[frame.op], caller, stranger);
  if (caller.kind !== 'server') throw new RosterError('not_allowed', 'upsert needs a server token');
  const { users, seq } = await roster.submit(decodeUpsert('v2', { users: frame.users }, actorOf(caller)), 'bulk', liveOrigin(caller));
  const byId = new Map(users.map(({ user }) => [user.id, renderLive(user, { online: roster.online(user.id), reader: 'server' }, dates)]));
  return { users: Object.fromEntries(byId), seq };
}
