/** Endpoints that block and unblock users for one user, and list whom it blocks. */

import Type from 'typebox';
import { pathId } from '../../../protocol/base/reading.ts';
import { BlockBody, type BlockCommand, BlocksQuery, decodeBlock, readBlocks } from '../../../protocol/moderation/blocks.ts';
import { Nothing, timeIn, userIn } from '../../../protocol/users/answers.ts';
import { timeOf } from '../../../protocol/users/render.ts';
import { unknownUser } from '../../core/problems.ts';
import { actingUser, actorOf, renderBrief, userInSight } from '../http/acting.ts';
import { type Call, type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { lost, onlyUser } from '../http/outcome.ts';

export const BLOCKS_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/users/block', (dialect) => ({
    operation: 'BlockUsers',
    method: 'POST',
    access: 'user',
    summary: 'Blocks a user for another one',
    body: BlockBody,
    answer: Type.Object({ blocked_by_user_id: Type.String(), blocked_user_id: Type.String(), created_at: timeIn(dialect) }),
    handle: async (call) => {
      const command = await blockCommand(call, 'block');
      const outcome = await call.submit(command, 'live');
      const block = onlyUser(outcome).blocks?.find(({ id }) => id === command.target);
      if (block === undefined) throw lost(outcome, 'there is no block');
      const body = { blocked_by_user_id: command.by, blocked_user_id: command.target, created_at: timeOf(dialect)(block.created_at) };
      return { status: 201, body, seq: outcome.seq };
    },
  })),
  ...inBothDialects('/users/unblock', () => ({
    operation: 'UnblockUsers',
    method: 'POST',
    access: 'user',
    summary: 'Unblocks a user for another one',
    body: BlockBody,
    answer: Nothing,
    handle: async (call) => {
      const { seq } = await call.submit(await blockCommand(call, 'unblock'), 'live');
      return { body: {}, seq };
    },
  })),
  ...inBothDialects('/users/block', (dialect) => ({
    operation: 'GetBlockedUsers',
    method: 'GET',
    access: 'user',
    summary: 'The users that a user blocks, without those that are deleted or out of sight',
    query: BlocksQuery,
    answer: Type.Object({
      blocks: Type.Array(
        Type.Object({
          user_id: Type.String(),
          blocked_user_id: Type.String(),
          created_at: timeIn(dialect),
          user: userIn(dialect),
          blocked_user: userIn(dialect),
        }),
      ),
    }),
    handle: (call) => {
      const { directory } = call.backend;
      const id = pathId(actingUser(call.caller, readBlocks(call.query).user_id));
      const own = directory.user(id);
      if (own === undefined) throw unknownUser(id);
      const user = renderBrief(call, own, dialect);
      const blocks = (own.blocks ?? []).flatMap((block) => {
        const blocked = userInSight(call, block.id);
        if (blocked === undefined) return [];
        const created_at = timeOf(dialect)(block.created_at);
        return [{ user_id: id, blocked_user_id: block.id, created_at, user, blocked_user: renderBrief(call, blocked, dialect) }];
      });
      return { body: { blocks } };
    },
  })),
];

async function blockCommand(call: Call, kind: BlockCommand['kind']): Promise<BlockCommand> {
  const { by, target } = decodeBlock(await call.body());
  return { kind, actor: actorOf(call.caller), by: actingUser(call.caller, by), target };
}
