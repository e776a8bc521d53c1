/** CO31: the question of the connections page, and its words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  connectionQueryOf,
  connectionSearchOf,
  connectionsCall,
  foundText,
  positionsText,
  type ShownConnection,
} from '../../../daemon/console/connections/connection-search.ts';

test('CO31 the address holds the search, and unknown orders are the first one', () => {
  const search = connectionSearchOf(new URLSearchParams('q=ann&sort=newest'));
  assert.deepEqual(search, { text: 'ann', sort: 'newest' });
  assert.deepEqual(connectionQueryOf(search), { q: 'ann', sort: 'newest' });
  assert.deepEqual(connectionSearchOf(new URLSearchParams('sort=size')), { text: '', sort: 'queue' });
  assert.deepEqual(connectionQueryOf({ text: '', sort: 'queue' }), { q: '', sort: '' });
});

test('CO31 a page is asked for from where the one before ended', () => {
  assert.equal(connectionsCall({ text: ' ', sort: 'queue' }, '').path, '/api/v2/connections?sort=queue&limit=50');
  assert.equal(
    connectionsCall({ text: 'a&b', sort: 'oldest' }, '5:x.y').path,
    '/api/v2/connections?sort=oldest&limit=50&search=a%26b&next=5%3Ax.y',
  );
});

test('CO31 what was found, and how far a client is, in words', () => {
  assert.deepEqual(
    [foundText(0, 0, 1), foundText(1, 1, 1), foundText(1_200, 50, 3)],
    [...['No connection found.', '1 connection.', '1,200 connections; page 3 shows 50.']],
  );
  const one = { sent_seq: 7, consumer: null, acknowledged_seq: null } as ShownConnection;
  assert.equal(positionsText(one), 'sent up to #7');
  assert.equal(positionsText({ ...one, consumer: 'mirror', acknowledged_seq: 5 }), 'sent up to #7, consumer mirror acknowledged #5');
  assert.equal(positionsText({ ...one, sent_seq: null }), '');
});
