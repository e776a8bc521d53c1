/** CO31: pages of connections, over sessions of the test's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inTrustedSlices } from '../../../daemon/base/slices.ts';
import type { ConnectionSort, ConnectionsQuestion, ListedConnection } from '../../../daemon/edge/http/services.ts';
import { joinedList, type PartOfList, partOfList, type WalkedSession } from '../../../daemon/edge/live/connection-list.ts';
import { sized } from '../../support/long.ts';

const describe = ({ connectionId, userId, queuedBytes }: WalkedSession, sinceMs: number): ListedConnection => ({
  ...{ connection: connectionId, sinceMs, user: userId ?? null, queueBytes: queuedBytes, transport: 'live', address: null },
  ...{ subscriptions: 0, sentSeq: null, consumer: null, acknowledgedSeq: null },
});

/** Sessions of nodes with queues and times in no order, many of them alike. */
function sessionsOf(node: string, count: number): [WalkedSession, number][] {
  return Array.from({ length: count }, (_, n): [WalkedSession, number] => {
    const session: WalkedSession = {
      connectionId: `c${(n * 7_919) % count}.${node}`,
      userId: n % 3 === 0 ? undefined : `user${n % 50}`,
      queuedBytes: (n * 31) % 17,
    };
    return [session, 1_000 + ((n * 13) % 29)];
  });
}

async function page(nodes: readonly (readonly [WalkedSession, number])[][], question: ConnectionsQuestion) {
  const parts: PartOfList[] = [];
  for (const sessions of nodes) parts.push(await inTrustedSlices(partOfList(sessions, question, describe)));
  return joinedList(parts, question);
}

async function all(nodes: readonly (readonly [WalkedSession, number])[][], sort: ConnectionSort, search = ''): Promise<ListedConnection[]> {
  const rows: ListedConnection[] = [];
  let after: ConnectionsQuestion['after'];
  do {
    const found = await page(nodes, { search, sort, limit: 10, after });
    assert.ok(found.rows.length <= 10);
    rows.push(...found.rows);
    after = found.place;
  } while (after !== undefined);
  return rows;
}

test('CO31 the pages of several nodes together hold every connection once, in the order that was asked for', async () => {
  const nodes = [sessionsOf('a', 83), sessionsOf('b', 20), []];
  for (const sort of ['queue', 'oldest', 'newest'] as const) {
    const rows = await all(nodes, sort);
    assert.equal(new Set(rows.map(({ connection }) => connection)).size, 103);
    assert.equal(rows.length, 103);
    const values = rows.map(({ queueBytes, sinceMs }) => (sort === 'queue' ? -queueBytes : sort === 'oldest' ? sinceMs : -sinceMs));
    assert.deepEqual(
      values,
      [...values].sort((a, b) => a - b),
      sort,
    );
  }
});

test('CO31 a search finds users and connections whose id begins so, and counts them', async () => {
  const nodes = [sessionsOf('a', 60)];
  const rows = await all(nodes, 'queue', 'user1');
  assert.ok(rows.length > 0 && rows.every(({ user }) => user?.startsWith('user1')));
  const { total } = await page(nodes, { search: 'user1', sort: 'queue', limit: 1 });
  assert.equal(total, rows.length);
  assert.deepEqual(
    (await all(nodes, 'queue', 'c42.')).map(({ connection }) => connection),
    ['c42.a'],
  );
});

test('CO31 a page of many connections is found in slices, between which other work has its turn', async () => {
  const nodes = [sessionsOf('a', sized(100_000, 1_000_000))];
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const { rows, total } = await page(nodes, { search: '', sort: 'newest', limit: 100 });
  isOver = true;
  assert.equal(rows.length, 100);
  assert.equal(total, nodes[0]?.length);
  assert.ok(turns > 1, `${turns} turns`);
});
