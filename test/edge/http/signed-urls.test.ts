/** EX5: links that work without a token for a while. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createUrlSigner } from '../../../daemon/edge/http/signed-urls.ts';
import { refusal } from '../../support/http/refusal.ts';

test('EX5 a link ends with its time, is absolute, and is good under this secret only', () => {
  let nowMs = 1_000_000;
  const signer = createUrlSigner({ secret: 'one', baseUrl: () => 'https://roster.example/base', now: () => nowMs });
  const url = new URL(signer.sign('/exports/users/t/users.jsonl', 2_000));
  assert.equal(url.href.split('?')[0], 'https://roster.example/base/exports/users/t/users.jsonl');
  const query = Object.fromEntries(url.searchParams);
  const check = (path = '/exports/users/t/users.jsonl', given: Record<string, string> = query) => signer.check('GET', path, given);
  check();
  assert.match(refusal(() => check('/exports/users/u/users.jsonl')).message, /not signed/);
  assert.match(refusal(() => check(undefined, { ...query, exp: '3000' })).message, /not signed/);
  assert.match(refusal(() => check(undefined, {})).message, /not signed/);
  const other = createUrlSigner({ secret: 'two', baseUrl: () => '', now: () => nowMs });
  assert.match(refusal(() => other.check('GET', '/exports/users/t/users.jsonl', query)).message, /not signed/);
  nowMs = 1_999_999;
  check();
  nowMs = 2_000_000;
  const late = refusal(() => check());
  assert.deepEqual([late.kind, /expired/.test(late.message)], ['not_allowed', true]);
});
