/** Feeds: what is asked for (FD12). */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeActivityNames, decodeFeedPage } from '../../../protocol/feeds/queries.ts';
import { refusedFields } from '../../support/http/refusal.ts';

test('FD12 pages: 25 by default, 100 at most, bounds by id', () => {
  assert.deepEqual(decodeFeedPage({}), { after: [], before: [], offset: 0, limit: 25 });
  assert.equal(decodeFeedPage({ limit: '100', offset: '7' }).limit, 100);
  const wrong = { limit: '101', offset: '-1', id_lt: 'x', id_gte: '54a60c1e-4ee3-494b-a1e3-50c06acb5ed4' };
  assert.deepEqual(
    refusedFields(() => decodeFeedPage(wrong))
      .map(({ path }) => path)
      .sort(),
    ['id_gte', 'id_lt', 'limit', 'offset'],
  );
});

test('FD12 activities are named by id, or by pairs of foreign id and time', () => {
  assert.deepEqual(decodeActivityNames({ ids: 'A,b' }), { by: 'id', ids: ['a', 'b'] });
  const pairs = decodeActivityNames({ foreign_ids: 'x,y', timestamps: '1970-01-01T00:00:01,1970-01-01T00:00:02Z' });
  assert.deepEqual(pairs, {
    by: 'foreign id',
    pairs: [
      { foreignId: 'x', time: 1_000_000 },
      { foreignId: 'y', time: 2_000_000 },
    ],
  });
  assert.equal(refusedFields(() => decodeActivityNames({}))[0]?.path, 'ids');
  assert.equal(refusedFields(() => decodeActivityNames({ foreign_ids: 'x,y', timestamps: '1970-01-01T00:00:01' }))[0]?.path, 'timestamps');
  assert.equal(refusedFields(() => decodeActivityNames({ foreign_ids: 'x', timestamps: 'now' }))[0]?.path, 'timestamps[0]');
  assert.equal(refusedFields(() => decodeActivityNames({ ids: Array(101).fill('a').join(',') }))[0]?.path, 'ids');
});
