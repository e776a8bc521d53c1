/** Tokens of users, made on request: what `rosterd token` prints. */
import Type from 'typebox';
import { decodeUserToken, TokenUserState, UserTokenBody } from '../../../protocol/access/user-tokens.ts';
import { timeIn } from '../../../protocol/users/answers.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import type { Reading } from '../http/backend.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';

export const USER_TOKENS_ROUTES: readonly Endpoint[] = inBothDialects('/user_tokens', (dialect) => ({
  operation: 'CreateUserToken',
  method: 'POST',
  access: 'server',
  summary: 'A token with which the client of one user connects. The log says who made it for whom',
  body: UserTokenBody,
  answer: Type.Object({ token: Type.String(), expires_at: Type.Optional(timeIn(dialect)), user_state: TokenUserState }),
  handle: async ({ backend, services, client, body }) => {
    const { userId, lifetimeS } = decodeUserToken(await body());
    // It has an `iat`, so that it can be revoked.
    const iat = Math.floor(services.nowMs() / 1_000);
    const exp = lifetimeS === undefined ? undefined : { exp: iat + lifetimeS };
    const token = services.issueToken({ user_id: userId, iat, ...exp });
    services.noteToken({ user: userId, client, exp: exp?.exp });
    return {
      status: 201,
      body: {
        token,
        ...(exp === undefined ? undefined : { expires_at: timeOf(dialect)(exp.exp * 1_000_000) }),
        user_state: stateOf(backend, userId),
      },
    };
  },
}));

function stateOf({ directory }: Reading, id: string): string {
  const user = directory.user(id);
  if (user !== undefined) return user.deactivated_at === undefined ? 'active' : 'deactivated';
  return directory.record(id) === undefined ? 'unknown' : 'deleted';
}
