/**
 * Comparing a copy of users with the directory: the parts that both are cut into, and the request that asks about single users.
 * Pure; throws RosterError `input`.
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { digestPart } from '../../base/digest.ts';
import { fieldErrors } from '../../base/errors.ts';
import { says } from '../../base/explain.ts';
import { isUserId } from '../../base/ids.ts';
import { LIMITS } from '../../base/limits.ts';
import { Position } from '../../base/position.ts';
import { bodyObject, checked } from '../../base/reading.ts';
import type { StoredUser } from '../user.ts';

/** Only users of this team. */
export const TeamParameter = Type.Optional(
  Type.String({ minLength: 1, maxLength: LIMITS.teamBytes, ...says(`must not be longer than ${LIMITS.teamBytes} bytes`) }),
);

/** Into how many parts the users are cut, by a hash of their ids. */
export const PartCountParameter = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: LIMITS.digestParts,
    ...says(`must be a whole number from 1 to ${LIMITS.digestParts}`),
    description: 'into how many parts the users are cut, by a hash of their ids',
  }),
);

/** Some of the parts, by number from 0, such as `3,17`. */
export const PartsParameter = Type.Optional(
  Type.String({
    pattern: '^\\d{1,4}(,\\d{1,4})*$',
    maxLength: LIMITS.digestPartsNamed * 5,
    ...says(`must be up to ${LIMITS.digestPartsNamed} numbers of parts with commas between them`),
    description: 'only users of these parts, by number from 0: `3,17`. Needs `of`',
  }),
);

export interface ListedQuery {
  readonly team?: string;
  readonly parts?: string;
  readonly of?: number;
}

/** Whether a user is among those that the query asks for; undefined when it asks for all. Throws RosterError `input`. */
export function listedBy({ team, parts, of }: ListedQuery): ((user: Pick<StoredUser, 'id' | 'teams'>) => boolean) | undefined {
  if (parts === undefined) return team === undefined ? undefined : ({ teams }) => teams.includes(team);
  if (of === undefined) throw fieldErrors('input', [{ path: 'of', message: 'is missing: into how many parts the users are cut' }]);
  const named = new Set(parts.split(',').map(Number));
  return ({ id, teams }) => (team === undefined || teams.includes(team)) && named.has(digestPart(id, of));
}

/** Either what the copy holds of each user, or only its revisions. */
export const CompareBody = Type.Object({
  /** Where the copy is. Default: where the directory is now. */
  position: Type.Optional(Position),
  /** The copy holds only users of this team. */
  team: TeamParameter,
  /** Revisions by id. */
  revs: Type.Optional(
    Type.Record(Type.String(), Type.Integer({ minimum: 0, ...says('must be a revision: a whole number') }), {
      maxProperties: LIMITS.comparedRevs,
    }),
  ),
  /** Whole users by id, or a list, as for an upsert, at most 100. Fields that are not sent are not compared, but name, image and custom data. */
  users: Type.Optional(Type.Unknown()),
});
export type CompareRequest = Static<typeof CompareBody>;
const compareCheck = Compile(CompareBody);

/** The request. Throws RosterError `input` with everything that is wrong. */
export function readCompare(body: unknown): CompareRequest {
  const request = checked(compareCheck, bodyObject(body));
  const wrong = Object.keys(request.revs ?? {}).filter((id) => !isUserId(id));
  if (wrong.length > 0)
    throw fieldErrors(
      'input',
      wrong.map((id) => ({ path: `revs[${id.slice(0, 64)}]`, message: 'is not an id of a user' })),
    );
  if (request.revs === undefined && request.users === undefined) {
    throw fieldErrors('input', [{ path: 'revs', message: 'is missing: give revs, users or both' }]);
  }
  return request;
}
