/**
 * Requests that are read by hand, for the sake of their speed or their errors, as the API description shows them. That they
 * are read this way is proved by the test of every endpoint, which sends values of wrong types at every place named here.
 */

import Type from 'typebox';
import { LIMITS } from '../base/limits.ts';
import { AnyObject } from '../base/schemas.ts';
import { IfRev } from './conditions.ts';
import { UserRequestFields } from './user.ts';

/** A user as a caller sends it. In v1 all other keys are custom data; in v2 they may also be in `custom`. */
const UserRequest = Type.Object(
  { id: Type.Optional(Type.String({ maxLength: LIMITS.idChars })), ...UserRequestFields },
  { additionalProperties: true, title: 'UserRequest' },
);

/** By id, or as a list. Where a user stands under its id, it may repeat it. */
export const UpsertRequest = Type.Object({
  users: Type.Union([
    Type.Record(Type.String(), UserRequest, { minProperties: 1, maxProperties: LIMITS.batchUsers }),
    Type.Array(UserRequest, { minItems: 1, maxItems: LIMITS.batchUsers }),
  ]),
  if_rev: Type.Optional(IfRev),
});

export const PatchRequest = Type.Object({
  users: Type.Array(
    Type.Object({
      id: Type.String(),
      set: Type.Optional(Type.Object({}, { additionalProperties: true, description: 'values by their path, with dots' })),
      unset: Type.Optional(Type.Array(Type.String(), { description: 'paths' })),
    }),
    { minItems: 1, maxItems: LIMITS.batchUsers },
  ),
  if_rev: Type.Optional(IfRev),
});

const Sort = Type.Object({
  field: Type.String(),
  direction: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(-1)])),
  type: Type.Optional(Type.Unknown({ description: 'ignored: every value sorts by its own type' })),
});

/** What QueryUsers has in its `payload`. */
export const QueryPayload = Type.Object({
  filter_conditions: Type.Optional(AnyObject),
  sort: Type.Optional(Type.Array(Sort, { maxItems: LIMITS.querySortFields })),
  limit: Type.Optional(Type.Integer({ minimum: 0, maximum: LIMITS.queryLimitMax })),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: LIMITS.queryOffsetMax })),
  id_gt: Type.Optional(Type.String()),
  id_gte: Type.Optional(Type.String()),
  id_lt: Type.Optional(Type.String()),
  id_lte: Type.Optional(Type.String()),
  presence: Type.Optional(Type.Boolean()),
  include_deactivated_users: Type.Optional(Type.Boolean()),
  user_id: Type.Optional(Type.String()),
});
