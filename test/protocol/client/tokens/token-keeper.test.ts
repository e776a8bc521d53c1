/** CL33: one question for a token. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenKeeper } from '../../../../protocol/client/tokens/token-keeper.ts';

test('CL33 callers that need a token at the same time share one question; one that failed is asked again', async () => {
  let asked = 0;
  const tokens = new TokenKeeper(() => (++asked === 1 ? Promise.reject(new Error('down')) : Promise.resolve(`t${asked}`)));
  await assert.rejects(Promise.all([tokens.current(), tokens.current()]), /down/);
  assert.deepEqual(await Promise.all([tokens.current(), tokens.renew(), tokens.current()]), ['t2', 't2', 't2']);
  assert.equal(await tokens.current(), 't2');
  tokens.replace('by hand');
  assert.deepEqual([await tokens.current(), asked], ['by hand', 2]);
});
