/** Endpoints that block and unblock users for one user, and list whom it blocks. */

import Type from 'typebox';
import { type Dialect, pathId } from '../../../protocol/base/reading.ts';
import { BlockBody, type BlockCommand, BlocksQuery, decodeBlock, readBlocks } from '../../../protocol/moderation/blocks.ts';
import { Nothing, timeIn, userIn } from '../../../protocol/users/answers.ts';
import { type Rendered, timeOf } from '../../../protocol/users/render.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { mapInSteps, type Walk } from '../../base/slices.ts';
import { unknownUser } from '../../core/problems.ts';
import { stepped } from '../answers/answer-text.ts';
import { actingUser, actorOf, briefUsers, userInSight } from '../http/acting.ts';
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
    handle: async (call) => {
      const id = pathId(actingUser(call.caller, readBlocks(call.query).user_id));
      const own = call.backend.directory.user(id);
      if (own === undefined) throw unknownUser(id);
      return { body: { blocks: await stepped(blocksOf(call, own, dialect), call.caller) } };
    },
  })),
];

function blocksOf(call: Call, own: StoredUser, dialect: Dialect): Walk<readonly Rendered[]> {
  const shown = briefUsers(call, dialect);
  const time = timeOf(dialect);
  return mapInSteps(own.blocks ?? [], ({ id, created_at }): Rendered | undefined => {
    const blocked = userInSight(call, id);
    if (blocked === undefined) return undefined;
    const users = { user: shown.show(own), blocked_user: shown.show(blocked) };
    return { user_id: own.id, blocked_user_id: id, created_at: time(created_at), ...users };
  });
}

async function blockCommand(call: Call, kind: BlockCommand['kind']): Promise<BlockCommand> {
  const { by, target } = decodeBlock(await call.body());
  return { kind, actor: actorOf(call.caller), by: actingUser(call.caller, by), target };
}
