/** Requests for a token of a user. Pure; throws RosterError `input`. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { fieldErrors } from '../base/errors.ts';
import { userIdProblem } from '../base/ids.ts';
import { bodyObject, checked, presentFields } from '../base/reading.ts';

/** A token without an end is asked for by name. */
export const LIFETIME_S_MAX = 3_650 * 86_400;
const LIFETIME_S = 86_400;

export const UserTokenBody = Type.Object({
  user_id: Type.String(),
  lifetime_s: Type.Optional(
    Type.Union([Type.Integer({ minimum: 1, maximum: LIFETIME_S_MAX }), Type.Literal('never')], {
      description: 'Seconds; a day if it is absent. `never`: without an end',
    }),
  ),
});
const bodyCheck = Compile(UserTokenBody);

/** `lifetimeS`: undefined for a token without an end. */
export function decodeUserToken(body: unknown): { readonly userId: string; readonly lifetimeS: number | undefined } {
  const { user_id, lifetime_s = LIFETIME_S } = checked(bodyCheck, presentFields(bodyObject(body)));
  const problem = userIdProblem(user_id);
  if (problem !== undefined) throw fieldErrors('input', [{ path: 'user_id', message: problem }]);
  return { userId: user_id, lifetimeS: lifetime_s === 'never' ? undefined : lifetime_s };
}

/** What is known of the user of a token. A client with a token of an `unknown` one creates the user when it connects. */
export const TokenUserState = Type.Union(['active', 'deactivated', 'deleted', 'unknown'].map((state) => Type.Literal(state)));
