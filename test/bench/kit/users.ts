/** Users as the rigs send them. */
import { toRfc3339 } from '../../../protocol/base/time.ts';

export interface BenchUser {
  readonly id: string;
  readonly [field: string]: unknown;
}

export type MakeUser = (index: number, version: number) => BenchUser;

/** About 400 bytes of JSON. `version` makes one user differ from an earlier form of itself. */
export const benchUser: MakeUser = (index, version) => ({
  id: `user-${index}`,
  name: `Some Name ${index}`,
  image: `https://cdn.example.com/avatars/${index}.jpg`,
  role: 'user',
  teams: ['red', 'blue'],
  custom: { birthland: 'Corellia', score: index % 1000, version, tags: ['alpha', 'beta'], bio: 'x'.repeat(170) },
});

/** About 140 bytes: small enough that the event about it has the 400 bytes of the fan-out targets. */
export const smallUser: MakeUser = (index, version) => ({
  id: `user-${index}`,
  name: `Some Name ${index}`,
  role: 'user',
  teams: ['red', 'blue'],
  custom: { score: index % 1000, version, note: 'x'.repeat(30) },
});

export interface BenchEvent {
  readonly type: string;
  readonly seq: number;
  readonly created_at: string;
  readonly user: BenchUser;
  readonly sub: readonly string[];
}

/** The event about a user that changed at a time, with the fields that rosterd adds, so that others send events of the same size. */
export function eventOf(user: BenchUser, seq: number, atMs: number): BenchEvent {
  const at = toRfc3339(atMs * 1_000);
  const shown = { ...user, rev: seq, created_at: at, updated_at: at, online: false, banned: false, invisible: false };
  return { type: 'user.updated', seq, created_at: at, user: shown, sub: ['s'] };
}

/** Body of an upsert of `count` users from `first` on. */
export function upsertBody(first: number, count: number, version: number, make: MakeUser = benchUser): Buffer {
  const users: Record<string, BenchUser> = {};
  for (let index = first; index < first + count; index++) {
    const user = make(index, version);
    users[user.id] = user;
  }
  return Buffer.from(JSON.stringify({ users }));
}

/** Bodies of 100 users each that together hold the users 0 to `users`, made one at a time. */
export function* upsertBodies(users: number, version: number): Generator<Buffer> {
  for (let first = 0; first < users; first += 100) yield upsertBody(first, Math.min(100, users - first), version);
}
