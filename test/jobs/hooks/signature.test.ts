/** WH6: the signature of a webhook. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { signatureOf } from '../../../daemon/jobs/hooks/signature.ts';

test('WH6 the signature is the hex HMAC-SHA256 of the body', () => {
  // Made with: printf '{"a":1}' | openssl dgst -sha256 -hmac secret
  const body = Buffer.from('{"a":1}');
  assert.equal(signatureOf(body, 'secret'), createHmac('sha256', 'secret').update('{"a":1}').digest('hex'));
  assert.match(signatureOf(body, 'secret'), /^[0-9a-f]{64}$/);
  assert.notEqual(signatureOf(body, 'secret'), signatureOf(body, 'other'));
});
