/** Endpoints that mute and unmute users for one user. */
import Type, { type TSchema } from 'typebox';
import type { Dialect } from '../../../protocol/base/reading.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import { decodeMute, MuteBodyV1, MuteBodyV2, type MuteCommand, UnmuteBodyV1, UnmuteBodyV2 } from '../../../protocol/moderation/mutes.ts';
import { fullUserIn, muteIn } from '../../../protocol/users/answers.ts';
import { type Rendered, renderMute, timeOf } from '../../../protocol/users/render.ts';
import { mapInSteps, type Walk } from '../../base/slices.ts';
import { stepped } from '../answers/answer-text.ts';
import { actingUser, actorOf, briefUsers, userInSight } from '../http/acting.ts';
import { type Call, type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { onlyUser } from '../http/outcome.ts';
import { renderUser } from '../users/changed-users.ts';
import { submitNamed } from './named-users.ts';

const MissingUsers = Type.Optional(Type.Array(Type.String(), { description: 'ids among the targets that do not exist' }));

/** v1 also gives a single mute its own field; both dialects have the list. */
function mutedIn(dialect: Dialect): TSchema {
  const fields = { mutes: Type.Array(muteIn(dialect)), own_user: fullUserIn(dialect), non_existing_users: MissingUsers };
  return dialect === 'v1' ? Type.Object({ ...fields, mute: Type.Optional(muteIn(dialect)) }) : Type.Object(fields);
}

export const MUTES_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/moderation/mute', (dialect) => ({
    operation: 'Mute',
    method: 'POST',
    access: 'user',
    summary: 'Mutes up to 100 users for one user, for a time or until unmuted',
    body: dialect === 'v1' ? MuteBodyV1 : MuteBodyV2,
    answer: mutedIn(dialect),
    handle: async (call) => {
      const { command, outcome } = await submitMute(call, 'mute', dialect);
      const body = await stepped(mutedAnswer(call, command, outcome, dialect), call.caller);
      return { status: 201, body, seq: outcome.seq };
    },
  })),
  ...inBothDialects('/moderation/unmute', (dialect) => ({
    operation: 'Unmute',
    method: 'POST',
    access: 'user',
    summary: 'Unmutes users for one user',
    body: dialect === 'v1' ? UnmuteBodyV1 : UnmuteBodyV2,
    answer: Type.Object({ non_existing_users: MissingUsers }),
    handle: async (call) => {
      const { outcome } = await submitMute(call, 'unmute', dialect);
      return { body: missingUsers(outcome), seq: outcome.seq };
    },
  })),
];

async function submitMute(call: Call, kind: MuteCommand['kind'], dialect: Dialect) {
  const { by, single, ...said } = decodeMute(kind, dialect, await call.body());
  const command: MuteCommand = { kind, actor: actorOf(call.caller), by: actingUser(call.caller, by), ...said };
  const outcome = await submitNamed(call, command, single === undefined ? {} : { [`target_ids[${single}]`]: 'target_id' });
  return { command, outcome };
}

function missingUsers({ missing = [] }: Outcome): Rendered {
  return missing.length === 0 ? {} : { non_existing_users: missing };
}

/** The requested mutes, in the order of the request. */
function* mutedAnswer(call: Call, { targets }: MuteCommand, outcome: Outcome, dialect: Dialect): Walk<Rendered> {
  const own = onlyUser(outcome);
  const shown = briefUsers(call, dialect);
  const held = new Map(own.mutes?.map((mute) => [mute.id, mute]));
  const mutes = yield* mapInSteps(new Set(targets), (id) => {
    const mute = held.get(id);
    const target = userInSight(call, id);
    if (mute === undefined || target === undefined) return undefined;
    return renderMute(mute, shown.show(own), shown.show(target), timeOf(dialect));
  });
  return {
    ...(dialect === 'v1' && mutes.length === 1 ? { mute: mutes[0] } : undefined),
    mutes,
    own_user: renderUser(call, own, dialect),
    ...missingUsers(outcome),
  };
}
