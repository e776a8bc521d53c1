/** Users to be found, and what a filter finds of them. */
import assert from 'node:assert/strict';
import { RosterError } from '../../protocol/base/errors.ts';
import { parseFilter } from '../../protocol/users/finding/filter.ts';
import { fixedUnits, WorkMeter } from '../../protocol/users/finding/filter-cost.ts';
import { compileFilter } from '../../protocol/users/finding/filter-match.ts';
import type { StoredUser } from '../../protocol/users/user.ts';

export const SECOND = 1_000_000;

export function user(id: string, fields: Partial<StoredUser> = {}): StoredUser {
  return { id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1, ...fields };
}

export const USERS: readonly StoredUser[] = [
  user('ann', {
    name: 'Ann Smith',
    role: 'admin',
    teams: ['red', 'blue'],
    last_active: 10 * SECOND,
    custom: { age: 30, tags: ['a', 'b'] },
  }),
  user('bob', { name: 'José', language: 'es', teams: ['red'], last_active: 20 * SECOND, custom: { age: '30', address: { city: 'Oslo' } } }),
  user('Cy-1', { invisible: true, custom: { age: null, tags: 'a', address: 'Oslo' } }),
];

export function found(filter: unknown, online: readonly string[] = []): string {
  const matches = compileFilter(parseFilter(filter));
  return USERS.filter((one) => matches(one, online.includes(one.id)))
    .map(({ id }) => id)
    .join(' ');
}

export function refusal(act: () => unknown): RosterError {
  try {
    act();
  } catch (error) {
    if (error instanceof RosterError && error.kind === 'input') return error;
    throw error;
  }
  return assert.fail('was accepted');
}

/** The work of matching the user: what the filter costs for every user, and what it looks at in this one. */
export function matchUnits(json: unknown, user: StoredUser): number {
  const filter = parseFilter(json);
  const work = new WorkMeter();
  compileFilter(filter, work)(user, false);
  return fixedUnits(filter) + work.units;
}
