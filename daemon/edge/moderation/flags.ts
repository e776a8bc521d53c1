/** Endpoints that report users, and count reports. */

import Type from 'typebox';
import {
  BypassBody,
  decodeBypass,
  decodeFlag,
  decodeFlagCount,
  FlagBodyV1,
  FlagBodyV2,
  FlagCountBody,
} from '../../../protocol/moderation/flags.ts';
import { Nothing, timeIn, userIn } from '../../../protocol/users/answers.ts';
import { type Rendered, timeOf } from '../../../protocol/users/render.ts';
import type { Flag, StoredUser } from '../../../protocol/users/user.ts';
import { unknownUser } from '../../core/problems.ts';
import { actorOf, renderBrief, userInSight } from '../http/acting.ts';
import { type Call, type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { lost, onlyUser } from '../http/outcome.ts';
import { namedActor, submitNamed } from './named-users.ts';

/** A report in v1 form. rosterd makes no reports itself, and reviews none. */
const FlagV1 = Type.Object({
  item_id: Type.String(),
  user: Type.Optional(userIn('v1')),
  target_user: userIn('v1'),
  reason: Type.Optional(Type.String()),
  custom: Type.Optional(Type.Object({}, { additionalProperties: true })),
  created_by_automod: Type.Boolean(),
  created_at: timeIn('v1'),
  updated_at: timeIn('v1'),
});

export const FLAGS_ROUTES: readonly Endpoint[] = [
  {
    operation: 'Flag',
    method: 'POST',
    path: '/moderation/flag',
    dialect: 'v1',
    access: 'user',
    summary: 'Reports a user',
    body: FlagBodyV1,
    answer: Type.Object({ flag: FlagV1 }),
    handle: async (call) => {
      const { user, flag, seq } = await flagUser(call, 'v1');
      return { status: 201, body: { flag: renderFlag(call, user, flag) }, seq };
    },
  },
  {
    operation: 'Flag',
    method: 'POST',
    path: '/api/v2/moderation/flag',
    dialect: 'v2',
    access: 'user',
    summary: 'Reports a user: an entity of type stream:user',
    body: FlagBodyV2,
    answer: Type.Object({ item_id: Type.String() }),
    handle: async (call) => {
      const { flag, seq } = await flagUser(call, 'v2');
      return { status: 201, body: { item_id: flag.item_id }, seq };
    },
  },
  ...inBothDialects({ v1: '/moderation/unflag' }, () => ({
    operation: 'Unflag',
    method: 'POST',
    access: 'user',
    summary: 'Takes a report back; without a report there is nothing to take back, and no flag in the answer',
    body: FlagBodyV1,
    answer: Type.Object({ flag: Type.Optional(FlagV1) }),
    handle: async (call) => {
      const { by, target } = await flagRequest(call, 'v1');
      await call.current();
      // A repeated request does not show a report that was made since; the one that it took back is gone.
      const held = call.isRepeat() ? undefined : call.backend.directory.user(target)?.flags?.find((flag) => flag.by === by);
      const outcome = await call.submit(
        { kind: 'unflag', actor: actorOf(call.caller), target, ...(by === undefined ? {} : { by }) },
        'live',
      );
      const user = outcome.users[0]?.user;
      const isTaken = held !== undefined && user !== undefined;
      return { body: isTaken ? { flag: renderFlag(call, user, held) } : {}, seq: outcome.seq };
    },
  })),
  ...inBothDialects({ v2: '/moderation/flag_count' }, () => ({
    operation: 'GetFlagCount',
    method: 'POST',
    access: 'server',
    summary: 'How many reports there are about a user: one from each reporter, of the last 100',
    body: FlagCountBody,
    answer: Type.Object({ count: Type.Integer() }),
    handle: async ({ backend, body }) => {
      const id = decodeFlagCount(await body());
      const user = backend.directory.user(id);
      if (user === undefined) throw unknownUser(id);
      return { body: { count: user.flags?.length ?? 0 } };
    },
  })),
  ...inBothDialects({ v2: '/moderation/bypass' }, () => ({
    operation: 'BypassModeration',
    method: 'POST',
    access: 'server',
    summary: 'Marks a user as one that is not moderated, for the service that moderates',
    body: BypassBody,
    answer: Nothing,
    handle: async ({ submit, body }) => {
      const { seq } = await submit(decodeBypass(await body()), 'live');
      return { body: {}, seq };
    },
  })),
];

async function flagRequest(call: Call, dialect: 'v1' | 'v2') {
  const { by: named, ...said } = decodeFlag(dialect, await call.body());
  const by = namedActor(call, named, 'user_id');
  return { ...said, ...(by === undefined ? undefined : { by }) };
}

interface Flagged {
  readonly user: StoredUser;
  readonly flag: Flag;
  readonly seq: number;
}

/** Carries out a report in the form of the dialect. */
export async function flagUser(call: Call, dialect: 'v1' | 'v2'): Promise<Flagged> {
  const said = await flagRequest(call, dialect);
  const command = { kind: 'flag', actor: actorOf(call.caller), itemId: call.newId(), ...said } as const;
  const outcome = await submitNamed(call, command, dialect === 'v2' ? { target_user_id: 'entity_id' } : {});
  const user = onlyUser(outcome);
  const flag = user.flags?.find(({ by }) => by === said.by);
  if (flag === undefined) throw lost(outcome, 'there is no report');
  return { user, flag, seq: outcome.seq };
}

function renderFlag(call: Call, target: StoredUser, { item_id, by, reason, custom, created_at }: Flag): Rendered {
  const reporter = by === undefined ? undefined : userInSight(call, by);
  const time = timeOf('v1');
  return {
    item_id,
    ...(reporter === undefined ? undefined : { user: renderBrief(call, reporter, 'v1') }),
    target_user: renderBrief(call, target, 'v1'),
    ...(reason === undefined ? undefined : { reason }),
    ...(custom === undefined ? undefined : { custom }),
    created_by_automod: false,
    created_at: time(created_at),
    updated_at: time(created_at),
  };
}
