/** Endpoints for guests, and for an application's custom events. */
import Type from 'typebox';
import { Nothing, userIn } from '../../../protocol/users/answers.ts';
import { CustomEventBody, decodeCustomEvent, decodeGuest, GuestBody } from '../../../protocol/users/guests.ts';
import { renderUserIn } from '../../../protocol/users/render.ts';
import { asideOf } from '../http/acting.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { onlyUser } from '../http/outcome.ts';

export const GUEST_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/guest', (dialect) => ({
    operation: 'CreateGuest',
    method: 'POST',
    access: 'guest',
    summary: 'Creates a guest and a token for it',
    body: GuestBody,
    answer: Type.Object({ user: userIn(dialect), access_token: Type.String() }),
    handle: async (call) => {
      const { backend, submit, caller, services, rateLimits } = call;
      // Every caller that is not a server is a client, with or without its own token.
      const actor = caller.kind === 'server' ? 'server' : 'user';
      const sent = await call.body();
      if (actor === 'user') await rateLimits.takeGuest(call.address);
      const outcome = await submit(decodeGuest(dialect, sent, actor, `guest-${call.newId()}`), 'live');
      const user = onlyUser(outcome);
      const aside = asideOf({ backend, caller: { kind: 'user', id: user.id } }, user.id);
      // A repeated request gets the same token again: if that was revoked since, it stays revoked.
      const issuedS = Math.floor(Math.min(services.nowMs() * 1_000, user.created_at) / 1_000_000);
      return {
        status: 201,
        body: {
          user: renderUserIn(dialect, user, aside),
          access_token: services.issueToken({ user_id: user.id, iat: issuedS }),
        },
        seq: outcome.seq,
      };
    },
  })),
  ...inBothDialects({ v1: '/users/:id/event', v2: '/chat/users/:id/event' }, () => ({
    operation: 'SendUserCustomEvent',
    method: 'POST',
    access: 'server',
    summary: "Sends an event of the application's own to the clients of a user",
    body: CustomEventBody,
    answer: Nothing,
    handle: async ({ submit, body, id }) => {
      const { seq } = await submit(decodeCustomEvent(id, await body()), 'live');
      return { body: {}, seq };
    },
  })),
];
