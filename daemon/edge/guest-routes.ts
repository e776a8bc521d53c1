/** Endpoints for guests, and for events of the application's own. */
import { randomUUID } from 'node:crypto';
import Type from 'typebox';
import { Nothing, userIn } from '../../protocol/answers.ts';
import { RosterError } from '../../protocol/errors.ts';
import { CustomEventBody, decodeCustomEvent, decodeGuest, GuestBody } from '../../protocol/guest-requests.ts';
import { renderUserIn } from '../../protocol/render.ts';
import { asideOf, type Endpoint, inBothDialects } from './endpoint.ts';

export const GUEST_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/guest', (dialect) => ({
    operation: 'CreateGuest',
    method: 'POST',
    access: 'guest',
    summary: 'Creates a guest and a token for it',
    body: GuestBody,
    answer: Type.Object({ user: userIn(dialect), access_token: Type.String() }),
    handle: async (call) => {
      const { backend, caller, services } = call;
      // Whoever is not a server is a client, with or without a token of its own.
      const actor = caller.kind === 'server' ? 'server' : 'user';
      const command = decodeGuest(dialect, await call.body(), actor, `guest-${randomUUID()}`);
      const { users, seq } = await backend.submit(command, 'live');
      const user = users[0]?.user;
      if (user === undefined) throw new RosterError('internal', 'there is no guest');
      const aside = asideOf({ backend, caller: { kind: 'user', id: user.id } }, user.id);
      const issuedS = Math.floor(services.nowMs() / 1000);
      return {
        status: 201,
        body: {
          user: renderUserIn(dialect, user, aside),
          access_token: services.issueToken({ user_id: user.id, iat: issuedS }),
        },
        seq,
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
    handle: async ({ backend, body, id }) => {
      const { seq } = await backend.submit(decodeCustomEvent(id, await body()), 'live');
      return { body: {}, seq };
    },
  })),
];
