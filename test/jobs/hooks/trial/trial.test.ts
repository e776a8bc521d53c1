/** CO42: a test request to a webhook. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { SendResult } from '../../../../daemon/jobs/hooks/quick-attempts.ts';
import type { Post } from '../../../../daemon/jobs/hooks/sender.ts';
import { createSender } from '../../../../daemon/jobs/hooks/sender.ts';
import { HookTrials, TRIAL_EVENT_TYPE, TRIALS_PER_MINUTE } from '../../../../daemon/jobs/hooks/trial/trial.ts';
import type { AppSettings, EventHook } from '../../../../protocol/app/settings.ts';
import { RosterError } from '../../../../protocol/base/errors.ts';
import { OK } from '../../../support/hooks/hook-bench.ts';

const HOOK: EventHook = {
  id: 'main',
  hook_type: 'webhook',
  enabled: false,
  webhook_url: 'https://hooks.example/a',
  event_types: [],
  dialect: 'v2',
  timeout_ms: 1_500,
  created_at: 1,
  updated_at: 1,
};
const APP: AppSettings = { enforce_unique_usernames: 'no', event_hooks: [HOOK, { ...HOOK, id: 'queue', hook_type: 'sqs' }] };
const identity = { apiKey: 'key', apiSecret: 'secret', version: '1.2.3' };

function bench(answer: SendResult = OK, app: AppSettings = APP) {
  const posts: Post[] = [];
  const post = async (what: Post): Promise<SendResult> => {
    posts.push(what);
    return answer;
  };
  const trials = new HookTrials({ roster: { directory: { app } }, sender: { post }, clock: { now: () => 1_700_000_000_000 }, ...identity });
  return { trials, posts };
}

test('CO42 a test request is signed, marked, about no user, and has the dialect and the time of its hook', async () => {
  const { trials, posts } = bench();
  const { status, error } = await trials.send({ hookId: 'main' });
  assert.deepEqual([status, error], [200, undefined]);
  const [one] = posts;
  assert.ok(one !== undefined);
  assert.deepEqual([one.url, one.timeoutMs], ['https://hooks.example/a', 1_500]);
  const text = one.body.toString();
  const { message, ...body } = JSON.parse(text);
  assert.deepEqual(body, { type: TRIAL_EVENT_TYPE, test: true, created_at: 1_700_000_000_000_000_000, custom: {} });
  assert.match(message, /no user/);
  assert.equal(one.headers['X-Signature'], createHmac('sha256', 'secret').update(text).digest('hex'));
  assert.deepEqual([one.headers['X-Webhook-Test'], one.headers['X-Webhook-Attempt'], one.headers['X-Api-Key']], ['true', 1, 'key']);
  assert.match(String(one.headers['X-Webhook-Id']), /^[0-9a-f-]{36}$/);
});

test('CO42 an address that is not saved gets it as the settings would send it', async () => {
  const { trials, posts } = bench(OK, { ...APP, enable_hook_payload_compression: true });
  await trials.send({ url: 'https://new.example/', dialect: 'v1', timeoutMs: undefined });
  const [one] = posts;
  assert.ok(one !== undefined);
  assert.deepEqual([one.url, one.timeoutMs, one.headers['Content-Encoding']], ['https://new.example/', 6_000, 'gzip']);
  const { created_at, custom } = JSON.parse(gunzipSync(one.body).toString());
  assert.deepEqual([created_at, custom], ['2023-11-14T22:13:20.000000Z', undefined]);
});

test('CO42 a failure is a result with its reason', async () => {
  for (const [answer, status, error] of [
    [{ kind: 'status', status: 500 }, 500, 'answered 500'],
    [{ kind: 'status', status: 302 }, 302, 'answered 302; redirects are not followed'],
    [{ kind: 'timeout' }, undefined, 'no answer in time'],
    [{ kind: 'network', reason: 'the connection failed (ECONNREFUSED)' }, undefined, 'the connection failed (ECONNREFUSED)'],
  ] as const) {
    const result = await bench(answer).trials.send({ hookId: 'main' });
    assert.deepEqual([result.status, result.error], [status, error]);
  }
});

test('CO42 an address that is not public is not reached, whatever name it has', async () => {
  const sender = createSender({ allowPrivate: false });
  const trials = new HookTrials({ roster: { directory: { app: APP } }, sender, clock: { now: Date.now }, ...identity });
  for (const url of ['http://127.0.0.1:1/', 'http://[::1]:1/', 'http://localhost:1/']) {
    const { status, error } = await trials.send({ url, dialect: 'v2', timeoutMs: undefined });
    assert.deepEqual([status, error], [undefined, 'the address is not on the public internet; webhooks.allow_private allows it'], url);
  }
  sender.close();
});

test('CO42 there are so many in a minute, and none for what is no webhook', async () => {
  const { trials, posts } = bench();
  for (const hookId of ['none', 'queue', 'webhook_url'])
    await assert.rejects(trials.send({ hookId }), (error) => error instanceof RosterError && error.kind === 'not_found', hookId);
  for (let sent = 0; sent < TRIALS_PER_MINUTE; sent++) await trials.send({ hookId: 'main' });
  await assert.rejects(
    trials.send({ hookId: 'main' }),
    (error) => error instanceof RosterError && error.kind === 'rate_limit' && /try again in \d+ s/.test(error.message),
  );
  assert.equal(posts.length, TRIALS_PER_MINUTE);
});
