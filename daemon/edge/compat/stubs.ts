/**
 * Stand-ins for channels, which rosterd does not have: some client test suites cannot start without them. Served only when enabled
 * (`compat.stubs`); nothing is stored, and every answer says that it is a stand-in.
 */

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { bodyObject, checked, type Dialect, isEmptyList, presentFields } from '../../../protocol/base/reading.ts';
import { AnyObject } from '../../../protocol/base/schemas.ts';
import { toNanos, toRfc3339 } from '../../../protocol/base/time.ts';
import { NamedUser } from '../../../protocol/moderation/reading.ts';
import { timeIn, userIn } from '../../../protocol/users/answers.ts';
import type { Rendered } from '../../../protocol/users/render.ts';
import { renderBrief, userInSight } from '../http/acting.ts';
import { type Call, type Endpoint, type EndpointAnswer, inBothDialects } from '../http/endpoint.ts';

const HEADERS = { 'X-Rosterd-Stub': '1' } as const;

/** The client's data about the channel. A real channel would keep its custom data. */
const ChannelData = Type.Object({
  created_by_id: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  created_by: Type.Optional(Type.Union([NamedUser, Type.Null()])),
});
type ChannelData = Static<typeof ChannelData>;

const ChannelQueryBody = Type.Object({
  data: Type.Optional(ChannelData),
  state: Type.Optional(Type.Boolean()),
  watch: Type.Optional(Type.Boolean()),
  presence: Type.Optional(Type.Boolean()),
});
const queryCheck = Compile(ChannelQueryBody);

function channelIn(dialect: Dialect) {
  return Type.Object({
    id: Type.String(),
    type: Type.String(),
    cid: Type.String(),
    created_at: timeIn(dialect),
    updated_at: timeIn(dialect),
    disabled: Type.Boolean(),
    frozen: Type.Boolean(),
    member_count: Type.Integer(),
    created_by: Type.Optional(userIn(dialect)),
    ...(dialect === 'v2' ? { custom: AnyObject } : {}),
  });
}

const Empty = Type.Array(Type.Unknown(), { maxItems: 0 });

export const STUB_ROUTES: readonly Endpoint[] = [
  ...inBothDialects({ v1: '/channeltypes', v2: '/chat/channeltypes' }, () => ({
    operation: 'ListChannelTypes',
    method: 'GET',
    access: 'server',
    summary: 'Stand-in: there are no channel types',
    isStub: true,
    answer: Type.Object({ channel_types: Type.Object({}) }),
    handle: () => stub({ channel_types: {} }),
  })),
  ...inBothDialects({ v1: '/channels/:type/query', v2: '/chat/channels/:type/query' }, (dialect) =>
    channelQuery(dialect, 'GetOrCreateDistinctChannel', 'Stand-in: an empty channel with an id of its own, which is not kept'),
  ),
  ...inBothDialects({ v1: '/channels/:type/:id/query', v2: '/chat/channels/:type/:id/query' }, (dialect) =>
    channelQuery(dialect, 'GetOrCreateChannel', 'Stand-in: an empty channel of that name, which is not kept'),
  ),
  ...inBothDialects({ v1: '/channels/:type/:id', v2: '/chat/channels/:type/:id' }, (dialect) => ({
    operation: 'DeleteChannel',
    method: 'DELETE',
    access: 'server',
    summary: 'Stand-in: deletes nothing, since there are no channels',
    isStub: true,
    answer: Type.Object({ channel: channelIn(dialect) }),
    handle: (call) => stub({ channel: channel(call, dialect) }),
  })),
];

function channelQuery(dialect: Dialect, operation: string, summary: string): Omit<Endpoint, 'path' | 'dialect'> {
  return {
    operation,
    method: 'POST',
    access: 'user',
    summary,
    isStub: true,
    body: ChannelQueryBody,
    answer: Type.Object({
      channel: channelIn(dialect),
      members: Empty,
      messages: Empty,
      pinned_messages: Empty,
      watcher_count: Type.Integer(),
    }),
    handle: async (call) => {
      refuseAnonymous(call);
      // PHP writes an empty map as `[]`.
      const { data, ...rest } = presentFields(bodyObject(await call.body()));
      const sent = checked(queryCheck, data === undefined || isEmptyList(data) ? rest : { ...rest, data });
      const shown = { ...channel(call, dialect), ...createdBy(call, sent.data, dialect) };
      return { ...stub({ channel: shown, members: [], messages: [], pinned_messages: [], watcher_count: 0 }), status: 201 };
    },
  };
}

/** The user that creates the channel: a client itself, else the user that the data name. Users that do not exist are left out. */
function createdBy(call: Call, data: ChannelData = {}, dialect: Dialect): { readonly created_by?: Rendered } {
  const { caller } = call;
  const id = caller.kind === 'user' ? caller.id : data.created_by_id || data.created_by?.id;
  const user = id === undefined ? undefined : userInSight(call, id);
  return user === undefined ? {} : { created_by: renderBrief(call, user, dialect) };
}

function stub(body: EndpointAnswer['body']): EndpointAnswer {
  return { body, headers: HEADERS };
}

function refuseAnonymous({ caller }: Call): void {
  if (caller.kind === 'anonymous') throw new RosterError('not_allowed', 'an anonymous user cannot create channels');
}

/** The published form of a channel id; a channel type has no `!`. */
const CHANNEL_ID = /^[\w!-]{1,64}$/;
const CHANNEL_TYPE = /^[\w-]{1,64}$/;

function channel({ params, services, newId }: Call, dialect: Dialect): Record<string, unknown> {
  const { type = '', id = newId() } = params;
  for (const [path, value, form] of [
    ['type', type, CHANNEL_TYPE],
    ['id', id, CHANNEL_ID],
  ] as const) {
    if (!form.test(value)) throw fieldErrors('input', [{ path, message: `"${clip(value)}" must match ${form.source}` }]);
  }
  const micros = services.nowMs() * 1_000;
  const now = dialect === 'v1' ? toRfc3339(micros) : toNanos(micros);
  return {
    id,
    type,
    cid: `${type}:${id}`,
    created_at: now,
    updated_at: now,
    disabled: false,
    frozen: false,
    member_count: 0,
    ...(dialect === 'v2' ? { custom: {} } : undefined),
  };
}
