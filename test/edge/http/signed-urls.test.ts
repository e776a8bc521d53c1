/** EX: links that work without a token for a while, and how long exports can be asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../daemon/core/decide.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import { DEFAULT_POLICY } from '../../../daemon/core/policy.ts';
import { createUrlSigner } from '../../../daemon/edge/http/signed-urls.ts';
import type { Task } from '../../../protocol/log/documents.ts';
import { EXPORT_TASK } from '../../../protocol/transfer/exports.ts';
import { FakeBackend } from '../../support/http/fake-backend.ts';
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

test('EX8 the task of an export can be asked for as long as its file is kept', () => {
  const { directory } = new FakeBackend();
  const task = (id: string, kind: string): Task => ({ id, kind, status: 'completed', created_at: 1, updated_at: 1 });
  const docs = [task('deleted', 'delete_users'), task('exported', EXPORT_TASK)];
  directory.apply({
    id: 'e',
    time: 1,
    first: 1,
    facts: docs.map((doc) => ({ t: 'doc' as const, kind: 'task' as const, id: doc.id, doc })),
  });
  const goneAt = (now: number, policy = DEFAULT_POLICY) =>
    decide(new Draft(directory), { kind: 'expire' }, now, policy).docs?.map(({ id }) => id);
  const hour = 3_600_000_000;
  assert.deepEqual(goneAt(6 * 24 * hour), []);
  assert.deepEqual(goneAt(8 * 24 * hour), ['deleted']);
  assert.deepEqual(goneAt(61 * 24 * hour), ['deleted', 'exported']);
  // A file that is kept for a shorter time than tasks does not shorten the life of its task.
  assert.deepEqual(goneAt(6 * 24 * hour, { ...DEFAULT_POLICY, exportsKeptMicros: hour }), []);
});
