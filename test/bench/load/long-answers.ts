/** The longest answers that a client can bring about, and what has to be there for them: other users as long as can be, and itself among them. */

import { LIMITS } from '../../../protocol/base/limits.ts';
import { ATTACKER, type Attack } from './attacks.ts';

const USERS = LIMITS.blocksPerUser;
const PER_REQUEST = LIMITS.batchUsers;
const FEED = `/api/v1.0/feed/user/${ATTACKER}`;

/** The attacker, and users of 10 kB: every other one is a single text, the rest are many short fields. Only servers can make them that long. */
function* longUsers(): Iterable<Attack> {
  for (let from = 0; from < USERS; from += PER_REQUEST) {
    const users = Array.from({ length: PER_REQUEST }, (_, index) => {
      const isWide = index % 2 === 1;
      const custom = isWide ? Object.fromEntries(Array.from({ length: 900 }, (_, key) => [`k${key}`, 1])) : { bio: 'x'.repeat(9_900) };
      return { id: index === 0 && from === 0 ? ATTACKER : `big-${from + index}`, custom };
    });
    yield posted('/api/v2/users', { users: Object.fromEntries(users.map((user) => [user.id, user])) });
  }
}

function posted(path: string, body: unknown): Attack {
  return { what: '', as: 'server', method: 'POST', path, headers: { Prefer: 'return=minimal' }, body: Buffer.from(JSON.stringify(body)) };
}

/** The attacker mutes and blocks as many of them as it may, and fills a feed with references to itself. */
export function* preparations(): Iterable<Attack> {
  yield* longUsers();
  for (let index = 1; index < USERS; index++) yield posted('/users/block', { blocked_user_id: `big-${index}`, user_id: ATTACKER });
  for (let from = 1; from < LIMITS.mutesPerUser; from += PER_REQUEST) {
    const target_ids = Array.from({ length: PER_REQUEST }, (_, index) => `big-${from + index}`);
    yield posted('/moderation/mute', { target_ids, user_id: ATTACKER });
  }
  const own = `SU:${ATTACKER}`;
  const references = Object.fromEntries(Array.from({ length: LIMITS.referencesPerActivity - 2 }, (_, index) => [`r${index}`, own]));
  const activities = Array.from({ length: LIMITS.activitiesPerRequest }, () => ({ actor: own, verb: 'p', object: own, ...references }));
  yield posted(FEED, { activities });
}

const query = (path: string, payload: object): string => `${path}?payload=${encodeURIComponent(JSON.stringify(payload))}`;

/** Requests of the attacker whose answers are the longest of all. */
export function longAnswers(): readonly Attack[] {
  const get = (what: string, path: string): Attack => ({ what: `long answer: ${what}`, as: 'client', method: 'GET', path });
  const ids = Array.from({ length: 100 }, (_, index) => `big-${index + 1}`);
  const some = { filter_conditions: { id: { $in: [ATTACKER, ...ids.slice(1)] } }, limit: 100 };
  return [
    ...['/users/block', '/api/v2/users/block'].map((path) => get(path, path)),
    get('an enriched page', `/api/v1.0/enrich/feed/user/${ATTACKER}?limit=100`),
    get('100 users, v1', query('/users', some)),
    get('100 users, v2', query('/api/v2/users', some)),
    get('100 users of the feeds dialect', `/api/v1.0/users?ids=${ids.join(',')}`),
    ...['/users', '/api/v2/users'].map(
      (path): Attack => ({
        what: `long answer: POST ${path} of the own user`,
        as: 'client',
        method: 'POST',
        path,
        body: Buffer.from(JSON.stringify({ users: { [ATTACKER]: { id: ATTACKER, nick: path } } })),
      }),
    ),
    ...['/moderation/mute', '/api/v2/moderation/mute'].map(
      (path): Attack => ({
        what: `long answer: POST ${path} of 100`,
        as: 'client',
        method: 'POST',
        path,
        body: Buffer.from(JSON.stringify({ target_ids: ids })),
      }),
    ),
  ];
}

/** The text of a request for the longest of them, for a socket that never reads. */
export function unreadRequest(key: string, token: string): string {
  const head = [`GET /users/block?api_key=${key} HTTP/1.1`, 'Host: x', `Authorization: ${token}`, 'Stream-Auth-Type: jwt'];
  return `${head.join('\r\n')}\r\n\r\n`;
}
