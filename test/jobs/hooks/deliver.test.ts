/** WH6: the request of an event. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createDelivery } from '../../../daemon/jobs/hooks/deliver.ts';
import type { Post } from '../../../daemon/jobs/hooks/sender.ts';
import { webhookId } from '../../../daemon/jobs/hooks/signature.ts';
import { type HookEvent, renderHookBody } from '../../../protocol/hooks/payload.ts';
import { HOOK, OK, START_MS, userRecord } from '../../support/hooks/hook-bench.ts';

const event: HookEvent = {
  ...{ seq: 7, at: START_MS * 1_000, type: 'user.updated', lane: 'ann' },
  fact: { t: 'user', event: 'updated', user: { ...userRecord('ann', 7), name: 'Ann' } },
};
const lookups = { user: () => undefined, online: () => true, exportUrl: () => undefined };
const never = new AbortController().signal;

/** The requests of two attempts. */
async function posts(more: Partial<typeof HOOK>): Promise<Post[]> {
  const sent: Post[] = [];
  const sender = {
    post: async (post: Post) => {
      sent.push(post);
      return OK;
    },
    close: () => {},
  };
  const send = createDelivery({ sender, apiKey: 'key', apiSecret: 'secret', version: '1.2.3', lookups });
  const attempt = send({ ...HOOK, ...more }, { id: 'event-id', epoch: 'e' }, event);
  assert.deepEqual([await attempt(1, 5_000, never), await attempt(2, 3_000, never)], [OK, OK]);
  return sent;
}

test('WH6 the body has the dialect of its hook and is signed; the headers name the event, the attempt and the application', async () => {
  for (const dialect of ['v1', 'v2'] as const) {
    const [first, second] = await posts({ dialect, url: 'https://hooks.example/x' });
    assert.ok(first !== undefined && second !== undefined);
    const text = first.body.toString();
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(renderHookBody(event, dialect, { ...lookups, epoch: 'e' }))));
    assert.deepEqual(first.headers, {
      'Content-Type': 'application/json',
      'User-Agent': 'rosterd/1.2.3',
      'X-Webhook-Id': 'event-id',
      'X-Webhook-Attempt': 1,
      'X-Api-Key': 'key',
      'X-Signature': createHmac('sha256', 'secret').update(text).digest('hex'),
    });
    assert.deepEqual(second, { ...first, timeoutMs: 3_000, headers: { ...first.headers, 'X-Webhook-Attempt': 2 } });
    assert.deepEqual([first.url, first.timeoutMs, first.cut], ['https://hooks.example/x', 5_000, never]);
  }
});

test('WH6 a compressed body says so, and its signature is that of the body before compression', async () => {
  const [plain] = await posts({});
  const [packed] = await posts({ isCompressed: true });
  assert.ok(plain !== undefined && packed !== undefined);
  assert.deepEqual(gunzipSync(packed.body), plain.body);
  assert.deepEqual(packed.headers, { ...plain.headers, 'Content-Encoding': 'gzip' });
});

test('WH6 the id of a delivery is a UUID of the position and the hook, and of nothing else', () => {
  const id = webhookId('e', 7, 'h');
  assert.equal(id, webhookId('e', 7, 'h'));
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const ids = [id, webhookId('e', 8, 'h'), webhookId('f', 7, 'h'), webhookId('e', 7, 'i'), webhookId('e7', 7, 'h')];
  for (let seq = 100; seq < 400; seq++) ids.push(webhookId('e', seq, 'h'));
  assert.equal(new Set(ids).size, ids.length);
  for (const one of ids) assert.match(one, /^.{14}8.{4}[89ab]/);
});
