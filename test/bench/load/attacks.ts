/**
 * The most expensive requests that can be constructed, legal and illegal: for every endpoint made from its schema and its golden
 * example, and by hand where somebody knows better.
 */
import { gzipSync } from 'node:zlib';
import type { Endpoint } from '../../../daemon/edge/http/endpoint.ts';
import { ROUTES } from '../../../daemon/edge/routes.ts';
import { endpointOf } from '../../support/http/answer-check.ts';
import { goldenFiles } from '../../support/http/golden.ts';

/** Who sends it. A server is trusted, and measured all the same. */
export type Sender = 'server' | 'client' | 'nobody';

export interface Attack {
  readonly what: string;
  readonly as: Sender;
  readonly method: string;
  /** With its query, without the key. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

const MB = 1024 * 1024;

/** The users that make a walk expensive: their names are as long as a client may make them, in a script that folds slowly. */
export const LONG_NAMES = 1_000;
export const LONG_NAME = 'ж '.repeat(1_200);
export const ATTACKER = 'user-7';

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const list = (item: string, bytes: number): string => `[${`${item},`.repeat(Math.floor(bytes / (item.length + 1)) - 1)}${item}]`;
const manyKeys = (bytes: number): string =>
  `{${Array.from({ length: Math.floor(bytes / 12) }, (_, key) => `"${key.toString(36).padStart(6, 'k')}":1`).join(',')}}`;
const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;

/** What stands in place of one field. */
const HUGE: Readonly<Record<string, string>> = {
  'empty objects': list('{}', 1.9 * MB),
  'empty lists': list('[]', 1.9 * MB),
  numbers: list('1', 1.9 * MB),
  texts: list('"a"', 1.9 * MB),
  'wrong objects': list('{"id":1,"user_id":{}}', 1.9 * MB),
  keys: manyKeys(1.9 * MB),
  depth: deep(100_000),
  'one text': `"${'ж'.repeat(0.9 * MB)}"`,
};

/** For every endpoint: its example with each field of the body blown up, and a query string that is all it can be. One at a time: each is large. */
export function* attacksOnEndpoints(kinds: readonly string[] = Object.keys(HUGE)): Iterable<Attack> {
  const seen = new Set<Endpoint>();
  for (const step of goldenFiles().flatMap(({ steps }) => steps)) {
    const path = step.request.path.replaceAll(/\$\{\w+\}/g, 'none').replace(/^https?:\/\/[^/]+/, '');
    const row = endpointOf(step.request.method, path);
    if (row === undefined || seen.has(row) || !ROUTES.includes(row) || row.isStub === true) continue;
    seen.add(row);
    const as: Sender = row.access === 'server' || row.access === 'signed' ? 'server' : 'client';
    const about = { as, method: row.method, path };
    const name = `${row.operation} (${row.dialect})`;
    if (row.body === undefined) {
      yield { ...about, what: `${name}: 8 kB of query`, path: `${path}?${'a=1&'.repeat(2_000)}` };
      continue;
    }
    const fields = 'properties' in row.body ? Object.keys(row.body.properties as object) : [];
    for (const kind of kinds) {
      const text = HUGE[kind] ?? '';
      yield { ...about, what: `${name}: body of ${kind}`, body: Buffer.from(text) };
      for (const field of fields) yield { ...about, what: `${name}: ${field} of ${kind}`, body: withField(step.request.body, field, text) };
    }
    const bomb = gzipSync(Buffer.from(`{"x":${list('{}', 1.9 * MB)}}`));
    yield { ...about, what: `${name}: bomb`, headers: { 'Content-Encoding': 'gzip' }, body: bomb };
  }
}

function withField(body: unknown, field: string, text: string): Buffer {
  const rest = Object.entries(typeof body === 'object' && body !== null ? body : {}).filter(([name]) => name !== field);
  const others = rest.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)},`).join('');
  return Buffer.from(`{${others}${JSON.stringify(field)}:${text}}`);
}

const query = (payload: object): string => `/users?payload=${encodeURIComponent(JSON.stringify(payload))}`;
const filtered = (filter: object, more: object = {}): string => query({ filter_conditions: filter, ...more });
const repeated = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));

/** A filter whose every condition looks at the whole of a long name. */
export const searching = (conditions: number, offset = 0): object => ({
  $or: repeated(conditions, (index) => ({ name: { $q: `ж${(index + offset).toString(36)}` } })),
});

/** Filters with the most work per user that the language allows. */
function queries(): readonly [string, string][] {
  const object = { a: repeated(50, (index) => ({ b: index })) };
  return [
    ['no filter', query({})],
    ['100 $q over long names', filtered(searching(100))],
    ['101 $q', filtered(searching(101))],
    ['200 $q', filtered(searching(200))],
    ['$q of 120 words', filtered({ name: { $q: 'ж '.repeat(120) } })],
    ['$autocomplete', filtered({ name: { $autocomplete: 'жa' } })],
    ['$in of 100 objects', filtered({ profile: { $in: repeated(100, (index) => ({ ...object, index })) } })],
    ['100 $ne', filtered({ $and: repeated(100, (index) => ({ [`custom.k${index}`]: { $ne: index } })) })],
    ['nested $nor', filtered({ $nor: [{ $nor: [{ $nor: [{ $nor: repeated(80, (index) => ({ name: `n${index}` })) }] }] }] })],
    ['sorted by long names', query({ sort: repeated(5, () => ({ field: 'name', direction: -1 })), offset: 1_000, limit: 100 })],
    ['sorted by custom', query({ sort: [{ field: 'bio' }, { field: 'tags' }], offset: 1_000, limit: 100 })],
    ['names of many', filtered({ name: 'Same Name' }, { limit: 100 })],
    ['teams of everybody', filtered({ teams: { $in: ['red', 'blue'] } }, { limit: 100 })],
    ['8 kB of braces', `/users?payload=${encodeURIComponent(`{"filter_conditions":{"$or":[${'{},'.repeat(2_000)}{}]}}`)}`],
    ['8 kB of brackets', `/users?payload=${'['.repeat(7_000)}`],
  ];
}

/** What somebody who reads the sources would send. */
export function attacksByHand(): readonly Attack[] {
  const get = (what: string, path: string, as: Sender = 'client'): Attack => ({ what, as, method: 'GET', path });
  const send = (what: string, method: string, path: string, body: unknown, as: Sender = 'client'): Attack => ({
    what,
    as,
    method,
    path,
    body: json(body),
  });
  const paths = (depth: number): Record<string, unknown> =>
    Object.fromEntries(repeated(200, (index) => [`k${index}${'.a'.repeat(depth)}`, index]));
  return [
    ...queries().map(([what, path]) => get(`QueryUsers: ${what}`, path)),
    get('QueryBannedUsers: all', '/query_banned_users?payload=%7B%22limit%22%3A300%7D'),
    get(
      'QueryBannedUsers: sorted',
      `/query_banned_users?payload=${encodeURIComponent('{"sort":[{"field":"created_at","direction":-1}],"limit":100}')}`,
    ),
    get('openapi', '/openapi.json', 'nobody'),
    get('asyncapi', '/asyncapi.json', 'nobody'),
    get('a path of 10 kB', `/${'a/'.repeat(5_000)}`, 'nobody'),
    get('escapes', `/users/${'%41'.repeat(3_000)}`, 'nobody'),
    get('a wrong token', '/users?authorization=aaaa.bbbb.cccc', 'nobody'),
    send('patch: 200 deep paths', 'PATCH', '/users', { users: [{ id: ATTACKER, set: paths(30) }] }),
    send('patch: 200 pairs', 'PATCH', '/users', {
      users: repeated(100, () => ({ id: ATTACKER, set: paths(1), unset: Object.keys(paths(1)) })),
    }),
    send('unset of 100,000', 'PATCH', '/users', { users: [{ id: ATTACKER, unset: repeated(90_000, (index) => index) }] }),
    send('upsert of 100 foreign users', 'POST', '/users', { users: repeated(100, (index) => ({ id: `user-${index}`, name: LONG_NAME })) }),
    send('upsert of 100 wrong users', 'POST', '/users', {
      users: repeated(100, () => ({ id: 1, teams: repeated(250, () => 1), role: {} })),
    }),
    send(
      'upsert of 100 full users',
      'POST',
      '/users',
      { users: repeated(100, (index) => ({ id: `full-${index}`, bio: 'x'.repeat(10_000) })) },
      'server',
    ),
    send(
      'upsert of 100 wide users',
      'POST',
      '/users',
      {
        users: repeated(100, (index) => ({ id: `wide-${index}`, custom: Object.fromEntries(repeated(900, (key) => [`k${key}`, 1])) })),
      },
      'server',
    ),
    send('mute of 100,000', 'POST', '/moderation/mute', { target_ids: repeated(100_000, (index) => `user-${index}`) }),
    send('names become unique', 'PATCH', '/app', { enforce_unique_usernames: 'app' }, 'server'),
    send('names need not be unique', 'PATCH', '/app', { enforce_unique_usernames: 'no' }, 'server'),
  ];
}
