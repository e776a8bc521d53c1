/** Random values that fit a schema, with ids and other names out of a small pool, so that requests meet what there is. */
import type { JsonSchema } from '../../../daemon/edge/describe/schemas.ts';
import { isObject } from '../../../protocol/base/json.ts';

export type Random = () => number;

export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('there is nothing to pick from');
  return item;
}

export function chance(random: Random, probability: number): boolean {
  return random() < probability;
}

/** The names that random requests use. */
export interface Names {
  /** The caller first. */
  readonly ids: readonly string[];
  /** Device ids. */
  readonly devices: readonly string[];
}

const WORDS = ['a', 'colour', 'red', 'blue', 'Bob', 'email', 'x.y', 'en', 'post', '5', ''];
const FEEDS = ['user', 'timeline'];

/** An id of the pool; the caller's own every third time, because most writes are about that one. */
export function someId(random: Random, { ids }: Names): string {
  return chance(random, 0.35) ? (ids[0] ?? '') : pick(random, ids);
}

const IS_ID = /^(id|ids|users?|.*_ids?|.*_by|target|actor|object)$/;
const IS_CHANNEL = /cid$/;

/** A text for a field of this name. */
function textFor(name: string, random: Random, names: Names): string {
  if (name === 'filter') return pick(random, WORDS);
  if (IS_CHANNEL.test(name)) return pick(random, ['messaging:one', 'messaging:two', 'none']);
  if (name === 'target' || name === 'to') return `${pick(random, FEEDS)}:${someId(random, names)}`;
  if (name === 'actor' || name === 'object') return chance(random, 0.7) ? `SU:${someId(random, names)}` : pick(random, WORDS);
  if (name === 'push_provider') return pick(random, ['apn', 'firebase', 'huawei', 'xiaomi']);
  if (name === 'entity_type') return 'stream:user';
  if (name === 'device') return pick(random, names.devices);
  if (name === 'time') return pick(random, ['2026-01-01T00:00:00', '2026-01-02T00:00:00', 'later']);
  if (name === 'foreign_id') return pick(random, ['post:1', 'post:2']);
  if (/_level$/.test(name)) return pick(random, ['all', 'mentions', 'none']);
  return IS_ID.test(name) ? someId(random, names) : pick(random, WORDS);
}

const SCALARS = ['red', 'Bob', 5, true, null];

/** A filter of users, as often about names of the pool as about anything else. */
export function someFilter(random: Random, names: Names): Record<string, unknown> {
  const id = (): string => someId(random, names);
  return pick<() => Record<string, unknown>>(random, [
    () => ({}),
    () => ({ id: id() }),
    () => ({ id: { $in: [id(), id(), id()] } }),
    () => ({ id: { $autocomplete: id().slice(0, 1) } }),
    () => ({ name: { $autocomplete: pick(random, ['h', 'b', 'hidden', 'e']) } }),
    () => ({ teams: pick(random, ['red', 'blue', null, {}]) }),
    () => ({ teams: { $in: ['red', 'blue'] } }),
    () => ({ role: pick(random, ['user', 'hid', 'moderator']) }),
    () => ({ banned: chance(random, 0.5) }),
    () => ({ shadow_banned: true }),
    () => ({ privacy_settings: { $exists: true } }),
    () => ({ colour: pick(random, SCALARS) }),
    () => ({ 'email.x': { $exists: true } }),
    () => ({ online: true }),
    () => ({ $or: [{ id: id() }, { colour: 'red' }] }),
    () => ({ $nor: [{ id: id() }] }),
    () => ({ user_id: id() }),
    () => ({ user_id: { $in: [id(), id()] } }),
    () => ({ banned_by_id: id() }),
  ])();
}

export function somePaths(random: Random): Record<string, unknown> {
  const paths = ['name', 'colour', 'email.x', 'zzz.x', 'big', 'role', 'teams', 'privacy_settings', 'revoke_tokens_issued_before'];
  const path = pick(random, paths);
  const values: Record<string, unknown> = { big: 'x'.repeat(3_900), teams: ['red'], role: 'admin', privacy_settings: {} };
  return { [path]: values[path] ?? pick(random, SCALARS) };
}

/** Fields whose form their schema leaves open. */
const OPEN: Readonly<Record<string, (random: Random, names: Names) => unknown>> = {
  filter_conditions: someFilter,
  filter: someFilter,
  set: somePaths,
  unset: (random) => [pick(random, ['name', 'colour', 'email.x', 'zzz'])],
  if_rev: (random, names) => ({ [someId(random, names)]: Math.floor(random() * 60) }),
  sort: (random) => [
    { field: pick(random, ['created_at', 'name', 'colour', 'shadow_banned', 'user_id']), direction: pick(random, [1, -1]) },
  ],
  id_gt: (random, names) => someId(random, names),
};

function schemasIn(value: unknown): readonly JsonSchema[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** `name`: the field that the value is for. */
export function someValue(schema: JsonSchema, name: string, random: Random, names: Names): unknown {
  const open = Object.hasOwn(OPEN, name) ? OPEN[name] : undefined;
  if (open !== undefined) return open(random, names);
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) return pick(random, schema.enum);
  const branches = schemasIn(schema.anyOf).filter(({ type }) => type !== 'null');
  if (branches.length > 0) return someValue(pick(random, branches), name, random, names);
  switch (schema.type) {
    case 'object':
      return someObject(schema, name, random, names);
    case 'array': {
      const items = isObject(schema.items) ? schema.items : {};
      return Array.from({ length: 1 + Math.floor(random() * 2) }, () => someValue(items, name, random, names));
    }
    case 'integer':
    case 'number':
      return Number(schema.minimum ?? 0) + Math.floor(random() * 5);
    case 'boolean':
      return chance(random, 0.5);
    case 'string':
      return textFor(name, random, names);
    default:
      return chance(random, 0.5) ? textFor(name, random, names) : pick(random, SCALARS);
  }
}

/** Fields without which a request is refused, although their schema cannot say so. */
const LIKELY = new Set(['verb', 'object', 'target_ids', 'target_id', 'target_user_id', 'payload']);

function someObject(schema: JsonSchema, name: string, random: Random, names: Names): Record<string, unknown> {
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const own: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(isObject(schema.properties) ? schema.properties : {})) {
    if (isObject(inner) && (required.has(key) || chance(random, LIKELY.has(key) ? 0.9 : 0.3)))
      own[key] = someValue(inner, key, random, names);
  }
  const rest = schema.additionalProperties;
  if (isObject(rest)) {
    const key = name === 'users' ? someId(random, names) : pick(random, WORDS);
    const value = someValue(rest, name, random, names);
    // A user in a map repeats no other id than its key.
    if (isObject(value) && 'id' in value) value.id = key;
    own[key] = value;
  }
  return own;
}
