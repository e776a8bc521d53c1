/** CL31: one class for every error. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS, OutcomeUnknown, RosterError, renderChatError } from '../../../protocol/base/errors.ts';
import { adviceFor, refusal, unanswered } from '../../../protocol/client/client-error.ts';
import { renderFeedsError } from '../../../protocol/feeds/errors.ts';

test('CL31 the advice of every error is that of the closed list, and every error of any dialect becomes one class', () => {
  for (const { code, status, retry } of Object.values(ERRORS)) assert.equal(adviceFor(code, status), retry, `${code} ${status}`);
  assert.equal(adviceFor(-1, 0), 'later');
  const error = new RosterError('input', 'wrong', [{ path: 'users[ann].role', message: 'is wrong' }]);
  const chat = refusal(renderChatError(error, 'UpdateUsers', '1ms'));
  assert.deepEqual([chat.code, chat.status, chat.retry], [4, 400, 'no']);
  assert.deepEqual(chat.errors, [{ code: 4, path: 'users[ann].role', message: 'is wrong' }]);
  const feeds = refusal(renderFeedsError(error, '1ms'), 400);
  assert.deepEqual([feeds.code, feeds.status, feeds.message], [4, 400, 'wrong']);
  assert.deepEqual(feeds.errors, [{ path: 'users[ann].role', message: 'is wrong' }]);
  const foreign = refusal('<html>', 502);
  assert.deepEqual([foreign.code, foreign.status, foreign.retry], [-1, 502, 'later']);
});

test('CL31 SQ11 every error says whether a write may be stored: a refusal in its own words, others by what they are', () => {
  for (const [error, outcome] of [
    [new RosterError('unavailable'), 'not_stored'],
    [new OutcomeUnknown('lost'), 'unknown'],
    [new RosterError('internal'), 'unknown'],
    [new RosterError('rate_limit'), 'not_stored'],
    [new RosterError('input'), 'not_stored'],
  ] as const) {
    assert.equal(refusal(renderChatError(error, 'UpdateUsers', '1ms')).outcome, outcome, error.kind);
    assert.equal(refusal(renderFeedsError(error, '1ms'), error.spec.status).outcome, outcome, error.kind);
  }
  assert.equal(refusal('<html>', 503).outcome, 'unknown');
  const failed = (code: string) =>
    unanswered('no answer', new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) }));
  assert.deepEqual([failed('ECONNREFUSED').outcome, failed('ECONNRESET').outcome], ['not_stored', 'unknown']);
});
