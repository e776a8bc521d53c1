/** BU5, BU10: what connections may hold, each for itself and together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Holding, Holdings, type Holds, heldBy } from '../../../../../daemon/edge/live/session/subscriptions/holdings.ts';
import { sharedFilter } from '../../../../../daemon/pipeline/tell/shared-filter.ts';
import { type ErrorKind, RosterError } from '../../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../../protocol/base/limits.ts';
import { parseFilter } from '../../../../../protocol/users/finding/filter.ts';

const ANON = { kind: 'anonymous' } as const;
const userOf = (id: string) => ({ kind: 'user', id }) as const;
const held = (more: Partial<Holds>): Holds => ({ subs: 0, conditions: 0, bytes: 0, names: 0, snapshots: 0, ...more });
const refused = (act: () => unknown, kind: ErrorKind, reason: RegExp): void =>
  assert.throws(act, (error) => error instanceof RosterError && error.kind === kind && reason.test(error.message));

function take(holding: Holding, more: Partial<Holds>): void {
  holding.mustFit(held(more));
  holding.set(held(more));
}

test('BU5 what is held: subscriptions, conditions and bytes of filters, ids and teams, snapshots', () => {
  const filter = sharedFilter(parseFilter({ $or: [{ name: 'a' }, { name: 'b' }] }, 'filter'));
  const wants = [
    { kind: 'ids' as const, ids: new Set(['a', 'b']) },
    { kind: 'teams' as const, teams: new Set(['red']) },
    { kind: 'filter' as const, filter },
    { kind: 'all' as const },
  ];
  assert.deepEqual(heldBy(wants, 3), { subs: 4, conditions: 2, bytes: filter.bytes, names: 3, snapshots: 3 });
});

test('BU5 the connections of one user together have bounds for conditions, bytes, ids and snapshots; those of a server have none', () => {
  const bounds = [
    ['conditions', LIMITS.conditionsPerUser, /at most 800 conditions in the filters of all connections of a user, this would make 801/],
    ['bytes', LIMITS.filterBytesPerUser, /bytes in the filters/],
    ['names', LIMITS.subIdsPerUser, /at most 20000 ids and teams/],
    ['snapshots', LIMITS.snapshotsPerUser, /at most 64 unfinished snapshots/],
  ] as const;
  for (const [measure, most, reason] of bounds) {
    const holdings = new Holdings();
    const [first, second] = [holdings.of(userOf('ann'), undefined), holdings.of(userOf('ann'), undefined)];
    take(first, { [measure]: most - 1 });
    take(second, { [measure]: 1 });
    refused(() => first.mustFit(held({ [measure]: most })), 'input', reason);
    refused(() => first.mustFit(held({ [measure]: most }), true), 'input', reason);
    take(first, { [measure]: most - 2 });
    take(holdings.of(userOf('bob'), undefined), { [measure]: most });
    first.close();
    take(second, { [measure]: most });
    take(holdings.of({ kind: 'server' }, undefined), { [measure]: 1e9 });
  }
});

test('BU10 strangers of one network have a bound together, all strangers another; what they hold takes nothing from users', () => {
  const bounds = [
    ['subs', LIMITS.subsPerNetwork, LIMITS.subsOfStrangers],
    ['conditions', LIMITS.conditionsPerNetwork, LIMITS.conditionsOfStrangers],
    ['bytes', LIMITS.filterBytesPerNetwork, LIMITS.filterBytesOfStrangers],
    ['names', LIMITS.subIdsPerNetwork, LIMITS.subIdsOfStrangers],
    ['snapshots', LIMITS.snapshotsPerNetwork, LIMITS.snapshotsOfStrangers],
  ] as const;
  for (const [measure, perNetwork, inAll] of bounds) {
    const holdings = new Holdings();
    const from = (network: string | undefined) => holdings.of(ANON, { network });
    take(from('a'), { [measure]: perNetwork - 1 });
    take(from('a'), { [measure]: 1 });
    refused(
      () => take(from('a'), { [measure]: 1 }),
      'rate_limit',
      /from one network; end others first, or connect with the token of a user$/,
    );
    from('a').mustFit(held({ [measure]: 1 }), true);
    let left = inAll - perNetwork;
    for (; left > perNetwork; left -= perNetwork) take(from(`n${left}`), { [measure]: perNetwork });
    take(from(undefined), { [measure]: left });
    const reason = new RegExp(`at most ${inAll} .* of all connections of anonymous callers and guests; try again later`);
    refused(() => take(from('last'), { [measure]: 1 }), 'rate_limit', reason);
    refused(() => take(from(undefined), { [measure]: 1 }), 'rate_limit', reason);
    take(holdings.of(userOf('ann'), undefined), { [measure]: 1 });
  }
});

test('BU10 a guest counts as a user, and with the strangers of its network', () => {
  const holdings = new Holdings();
  const guest = (id: string) => holdings.of(userOf(id), { network: 'a' });
  refused(() => take(guest('g0'), { names: LIMITS.subIdsPerUser + 1 }), 'input', /of a user/);
  for (let n = 0; n < LIMITS.subIdsPerNetwork / LIMITS.subIdsPerUser; n++) take(guest(`g${n}`), { names: LIMITS.subIdsPerUser });
  refused(() => take(guest('one-more'), { names: 1 }), 'rate_limit', /from one network/);
});

test('BU10 who holds nothing is not remembered, and what comes after the end of a connection is not counted', () => {
  const holdings = new Holdings();
  const holding = holdings.of(userOf('ann'), { network: 'a' });
  assert.equal(holdings.size, 0);
  take(holding, { names: 5, subs: 1 });
  assert.equal(holdings.size, 3);
  take(holding, {});
  assert.equal(holdings.size, 0);
  take(holding, { names: 5 });
  holding.close();
  holding.set(held({ names: 7 }));
  assert.equal(holdings.size, 0);
});
