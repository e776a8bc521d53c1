/** WH6: the body of a webhook, in both dialects. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webhookId } from '../../../daemon/jobs/hooks/signature.ts';
import { hookEventOf, renderHookBody } from '../../../protocol/hooks/payload.ts';
import type { CustomFact, UserFact } from '../../../protocol/log/entry.ts';
import { START_MS, userRecord } from '../../support/hooks/hook-bench.ts';

const lookups = {
  epoch: 'e',
  user: (id: string) => (id === 'mod' ? userRecord('mod') : undefined),
  online: (id: string) => id === 'ann',
  exportUrl: () => undefined,
};

const at = START_MS * 1_000;

function body(fact: UserFact | CustomFact, dialect: 'v1' | 'v2'): Record<string, unknown> {
  const event = hookEventOf(fact, 7, at);
  assert.ok(event);
  return JSON.parse(JSON.stringify(renderHookBody(event, dialect, lookups)));
}

test('WH6 the id is a UUID, the same for the same event and hook, and another for any other', () => {
  const id = webhookId('e', 1, 'h');
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(webhookId('e', 1, 'h'), id);
  assert.equal(new Set([id, webhookId('e', 2, 'h'), webhookId('f', 1, 'h'), webhookId('e', 1, 'i'), webhookId('e 1', 1, 'h')]).size, 5);
});

test('WH6 v2 has nanoseconds and nested custom data, v1 RFC 3339 and flat users', () => {
  const user = { ...userRecord('ann'), custom: { book: 'dune' } };
  const fact: UserFact = { t: 'user', event: 'updated', user, fields: ['custom.book'] };
  const v2 = body(fact, 'v2');
  assert.deepEqual(
    [v2.type, v2.created_at, v2.custom, v2.seq, v2.epoch, v2.fields],
    ['user.updated', at * 1_000, {}, 7, 'e', ['custom.book']],
  );
  assert.deepEqual((v2.user as { custom: unknown }).custom, { book: 'dune' });
  const v1 = body(fact, 'v1');
  assert.deepEqual([v1.created_at, v1.members, v1.custom], ['2026-03-04T05:06:07.000000Z', [], undefined]);
  const shown = v1.user as Record<string, unknown>;
  assert.deepEqual([shown.book, shown.online, shown.created_at], ['dune', true, '2026-03-04T05:06:07.000000Z']);
});

test('WH6 whoever did it is shown as it is now, and stays as an id when it is gone', () => {
  const ban = { created_at: at, by: 'mod' };
  const user = { ...userRecord('ann'), bans: [ban] };
  const about = { by: 'mod', reason: 'spam', expires: at, cid: 'messaging:a:b' };
  const banned = body({ t: 'user', event: 'banned', user, about }, 'v2');
  assert.equal((banned.created_by as { id: string }).id, 'mod');
  assert.deepEqual([banned.reason, banned.expiration, banned.channel_type, banned.channel_id], ['spam', at * 1_000, 'messaging', 'a:b']);
  const muted = body({ t: 'user', event: 'muted', user, about: { by: 'gone', targets: ['mod'] } }, 'v1');
  assert.deepEqual([muted.created_by, muted.created_by_id, (muted.target_user as { id: string }).id], [undefined, 'gone', 'mod']);
  const many = body({ t: 'user', event: 'muted', user, about: { targets: ['mod', 'gone'] } }, 'v2');
  assert.deepEqual(
    (many.target_users as { id: string }[]).map(({ id }) => id),
    ['mod'],
  );
});

test('WH6 a custom event carries its data flat in v1, where it hides no field, and under custom in v2', () => {
  const fact: CustomFact = { t: 'custom', user: userRecord('ann'), type: 'poke', custom: { strength: 3, type: 'forged', user: 'forged' } };
  const v1 = body(fact, 'v1');
  assert.deepEqual([v1.type, v1.strength, (v1.user as { id: string }).id], ['poke', 3, 'ann']);
  assert.deepEqual(body(fact, 'v2').custom, fact.custom);
});
