/** CO34: what is shown of values that may hold a secret. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MASK, masked, withoutUserInfo } from '../../daemon/base/masked.ts';

test('CO34 texts in fields named like a secret are masked, however deep, and empty ones are shown as such', () => {
  const value = {
    sqs_secret: 's1',
    nested: [{ api_key: 's2', accessToken: 'shown', password: { old: 's3', list: ['s4'] } }],
    sqs_key: '',
    seat: 7,
  };
  assert.deepEqual(masked(value), {
    sqs_secret: MASK,
    nested: [{ api_key: MASK, accessToken: 'shown', password: { old: MASK, list: [MASK] } }],
    sqs_key: '',
    seat: 7,
  });
  assert.equal(masked('s5', 'sns_secret'), MASK);
});

test('CO34 a URL is shown without user and password', () => {
  assert.equal(withoutUserInfo('postgres://me:pw@h1,h2/db and https://a@b/c@d'), `postgres://${MASK}@h1,h2/db and https://${MASK}@b/c@d`);
  assert.equal(withoutUserInfo('https://example.com/@me'), 'https://example.com/@me');
});
