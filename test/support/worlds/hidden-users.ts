/** A directory with users that some clients may not see, and what a server does to those users meanwhile. */
import assert from 'node:assert/strict';
import type { Send } from '../http/fake-backend.ts';
import { chance, type Names, pick, type Random } from './random-value.ts';
import type { RandomRequest } from './requests.ts';

/** What hides some users: walls between teams, or roles that are not found. */
export type Curtain = 'walls' | 'roles';

export const HIDDEN = ['h1', 'h2', 'h3', 'h4'];
/** Hidden users that were in sight once. */
const FORMER = HIDDEN.slice(0, 3);
const DEVICES = ['own-device', 'hd1', 'hd2'];

/** Clients by the kind of what they may do and see. */
export const CALLERS = ['ann', 'mod', 'fay'] as const;
export type CallerId = (typeof CALLERS)[number];

export const CALLER_FIELDS: Readonly<Record<CallerId, object>> = {
  ann: { role: 'user', teams: ['red'] },
  mod: { role: 'moderator', teams: ['red'] },
  fay: { role: 'user', teams: [] },
};

export function namesFor(curtain: Curtain, caller: CallerId): Names {
  // A hidden role limits what is found, not what is named: whoever knows the id may name it.
  const hidden = curtain === 'walls' ? HIDDEN : [];
  return { ids: [caller, 'ann', 'mod', 'fay', 'bob', 'eve', 'dea', ...hidden, ...hidden, 'nobody'], devices: DEVICES };
}

/** One of two directories that are compared. */
export interface Side {
  readonly send: Send;
  readonly tokenOf: (id: string) => string;
  /** The position of the directory. */
  readonly seq: number;
  /** Time of its last command, where a test sets it. */
  now?: number;
  /** Opens a live connection of a hidden user, if it can have one. */
  readonly comeOnline: (id: string) => unknown;
}

export async function must(send: Send, ...request: Parameters<Send>): Promise<void> {
  const { status, text } = await send(...request);
  assert.ok(status < 300, `${request[0]} ${request[1]}: ${text}`);
}

const SETTINGS: Readonly<Record<Curtain, object>> = {
  walls: { multi_tenant_enabled: true, enforce_unique_usernames: 'team' },
  roles: { user_search_disallowed_roles: ['hid'] },
};

/** Requests of clients about users that go out of sight afterwards; sent again under their keys, they must not show them. */
export const KEYED: readonly (RandomRequest & { readonly by: CallerId })[] = [
  ['ann', '/moderation/flag', { target_user_id: 'h1', reason: 'rude' }] as const,
  ['ann', '/moderation/mute', { target_ids: ['h2', 'bob'] }] as const,
  ['ann', '/users/block', { blocked_user_id: 'h2' }] as const,
  ['mod', '/moderation/ban', { target_user_id: 'h3', type: 'messaging', id: 'one', ban_from_future_channels: true }] as const,
].map(([by, path, body], index) => ({ by, method: 'POST', path, sent: { body, headers: { 'idempotency-key': `past${index}` } } }));

async function populate({ send, tokenOf }: Side, curtain: Curtain): Promise<void> {
  await must(send, 'POST', '/roles', { body: { name: 'hid' } });
  await must(send, 'PATCH', '/app', { body: SETTINGS[curtain] });
  const bob = {
    name: 'Bob',
    teams: ['red'],
    teams_role: { red: 'admin' },
    colour: 'red',
    email: { x: 1 },
    privacy_settings: { typing_indicators: { enabled: false } },
  };
  const former = curtain === 'walls' ? Object.fromEntries(FORMER.map((id) => [id, { teams: ['red'], name: id }])) : {};
  const eve = { name: 'Eve', teams: ['red', 'blue'], colour: 'blue' };
  const users = { ...CALLER_FIELDS, bob, eve, dea: { teams: ['red'] }, pad: { teams: ['blue'], role: 'hid' }, ...former };
  await must(send, 'POST', '/users', { body: { users } });
  await must(send, 'POST', '/users/dea/deactivate', { body: {} });
  await must(send, 'POST', '/api/v2/moderation/bypass', { body: { target_user_id: 'bob', enabled: true } });
  await must(send, 'POST', '/api/v1.0/feed/user/bob/', { body: { actor: 'SU:bob', verb: 'post', object: 'o', foreign_id: 'post:9' } });
  if (curtain === 'roles') return;
  for (const { by, method, path, sent } of KEYED) await must(send, method, path, { ...sent, token: tokenOf(by) });
  await must(send, 'POST', '/moderation/ban', { body: { target_user_id: 'bob', user_id: 'h1', reason: 'r' } });
  await must(send, 'POST', '/moderation/mute', { body: { user_id: 'ann', target_ids: ['h1', 'h3'] } });
  await must(send, 'POST', '/api/v1.0/feed/user/ann/', { body: { actor: 'SU:ann', verb: 'like', object: 'SU:h1', foreign_id: 'post:1' } });
  await must(send, 'POST', '/api/v1.0/feed/user/h1/', { body: { actor: 'SU:h1', verb: 'post', object: 'o', to: ['user:bob'] } });
  for (const [from, to] of [
    ['timeline/h1', 'user:bob'],
    ['timeline/eve', 'user:bob'],
    ['timeline/bob', 'user:h1'],
  ]) {
    await must(send, 'POST', `/api/v1.0/feed/${from}/follows/`, { body: { target: to } });
  }
  await must(send, 'PATCH', '/users', { body: { users: FORMER.map((id) => ({ id, set: { teams: ['blue'] } })) } });
}

type Act = (side: Side, id: string, random: Random) => unknown;

/** What a server does to a hidden user. A request that is refused changes nothing, which is as good. */
function actsOn(curtain: Curtain): readonly Act[] {
  const veiled = curtain === 'walls' ? { teams: ['blue'] } : { role: 'hid', teams: ['red'] };
  const post =
    (path: string, body: (id: string, random: Random) => object): Act =>
    ({ send }, id, random) =>
      send('POST', path, { body: body(id, random) });
  const upsert = post('/users', (id, random) => ({
    users: { [id]: { ...veiled, name: pick(random, ['hidden', 'Bob', 'h']), colour: pick(random, ['red', 'blue']), email: { x: 2 } } },
  }));
  const everywhere: readonly Act[] = [
    upsert,
    upsert,
    ({ send }, id, random) => {
      const set = pick<object>(random, [
        { email: 5 },
        { big: 'x'.repeat(5_000) },
        { privacy_settings: { read_receipts: { enabled: false } } },
      ]);
      return send('PATCH', '/users', { body: { users: [{ id, set }] } });
    },
    post('/moderation/ban', (id, random) => ({ target_user_id: id, shadow: chance(random, 0.5), reason: 'x' })),
    post('/moderation/mute', (id) => ({ user_id: id, target_ids: ['bob', 'pad'] })),
    post('/users/block', (id) => ({ user_id: id, blocked_user_id: 'bob' })),
    post('/moderation/flag', (id) => ({ target_user_id: id, user_id: 'pad' })),
    post('/devices', (id, random) => ({ user_id: id, id: pick(random, ['hd1', 'hd2']), push_provider: 'apn' })),
    post('/push_preferences', (id) => ({ preferences: [{ user_id: id, chat_level: 'none' }] })),
    post('/usergroups', (id) => ({ id: `g-${id}`, name: 'G', member_ids: [id] })),
    ({ send }, id) => send('POST', `/users/${id}/deactivate`, { body: {} }),
    ({ send }, id) => send('DELETE', `/users/${id}`),
    ({ send }, id) => send('DELETE', `/users/${id}`, { query: { hard_delete: 'true' } }),
    post('/users/delete', (id) => ({ user_ids: [id], user: 'pruning' })),
    post('/users/restore', (id) => ({ user_ids: [id] })),
    ({ send }, id) => send('POST', `/users/${id}/event`, { body: { event: { type: 'hello' } } }),
    ({ comeOnline }, id) => comeOnline(id),
  ];
  if (curtain === 'roles') return everywhere;
  // A feed whose name was never the id of a user is open to all, so the user comes first: without a name, which could be taken.
  const withUser =
    (then: Act): Act =>
    async (side, id, random) => {
      await side.send('POST', '/users', { body: { users: { [id]: veiled } } });
      return await then(side, id, random);
    };
  return [
    ...everywhere,
    withUser(({ send }, id) =>
      send('POST', `/api/v1.0/feed/user/${id}/`, {
        body: { actor: `SU:${id}`, verb: 'post', object: 'SU:bob', time: '2025-01-01T00:00:00' },
      }),
    ),
    withUser(({ send }, id) => send('POST', `/api/v1.0/feed/timeline/${id}/follows/`, { body: { target: 'user:bob' } })),
  ];
}

/** Does something to a hidden user. */
export async function act(side: Side, curtain: Curtain, random: Random): Promise<void> {
  await pick(random, actsOn(curtain))(side, pick(random, HIDDEN), random);
}

/** Brings both sides to the same position and time, by changes to a user that no client sees. */
export async function align(sides: readonly Side[]): Promise<void> {
  const wanted = Math.max(...sides.map(({ seq }) => seq));
  for (const side of sides) {
    while (side.seq < wanted) await must(side.send, 'PATCH', '/users', { body: { users: [{ id: 'pad', set: { n: side.seq } }] } });
  }
  const now = Math.max(...sides.map((side) => side.now ?? 0));
  for (const side of sides) if (side.now !== undefined) side.now = now;
}

/** Two sides that differ only in hidden users. */
export async function prepare(sides: readonly Side[], curtain: Curtain, random: Random): Promise<void> {
  for (const side of sides) await populate(side, curtain);
  for (const side of sides) for (let count = Math.floor(random() * 12); count > 0; count--) await act(side, curtain, random);
  await align(sides);
  // The revision of a user is the position of its last change.
  const ids = [...CALLERS, 'bob', 'eve', 'dea'];
  for (const { send } of sides) await must(send, 'PATCH', '/users', { body: { users: ids.map((id) => ({ id, set: { touched: 1 } })) } });
}

/** What is random or depends on the clock. */
export const VOLATILE =
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"duration":"[^"]*"|"reset":\d+|eyJ[\w-]+\.[\w-]+\.[\w-]+/g;
/** The place where two texts begin to differ. */
export function difference(one: string, other: string): string {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  const from = Math.max(0, at - 120);
  return `…${one.slice(from, at + 200)}\n…${other.slice(from, at + 200)}`;
}
