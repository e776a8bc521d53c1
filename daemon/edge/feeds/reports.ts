/** Reports of users in the feeds dialect: the same as in the chat dialects. */
import Type from 'typebox';
import { FlagBodyV2 } from '../../../protocol/moderation/flags.ts';
import { timeIn } from '../../../protocol/users/answers.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { flagUser } from '../moderation/flags.ts';
import { allow } from './access.ts';

export const FEEDS_REPORT_ROUTES: readonly Endpoint[] = [
  {
    operation: 'FeedsFlag',
    method: 'POST',
    path: '/api/v1.0/moderation/flag',
    dialect: 'feeds',
    access: 'user',
    summary: 'Reports a user: an entity of type stream:user',
    body: FlagBodyV2,
    answer: Type.Object({
      flag_id: Type.String(),
      target_user_id: Type.String(),
      flagged_by: Type.Optional(Type.String()),
      reason: Type.Optional(Type.String()),
      created_at: timeIn('v1'),
    }),
    handle: async (call) => {
      const { caller } = call;
      allow(caller, { resource: 'moderation', action: 'write', ...(caller.kind === 'user' ? { owner: caller.id } : undefined) });
      const { user, flag, seq } = await flagUser(call, 'v2');
      const { item_id, by, reason, created_at } = flag;
      const body = {
        flag_id: item_id,
        target_user_id: user.id,
        ...(by === undefined ? undefined : { flagged_by: by }),
        ...(reason === undefined ? undefined : { reason }),
        created_at: timeOf('v1')(created_at),
      };
      return { status: 201, body, seq };
    },
  },
];
