/** IM2, IM3, RN7: an import inside of the daemon gets the answers that `rosterd sync` gets over HTTP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImportItem } from '../../../daemon/jobs/transfer/import-item.ts';
import { createInsideSender } from '../../../daemon/jobs/transfer/inside-sender.ts';
import { readRefusal } from '../../../daemon/sync/refusal.ts';
import type { Reply } from '../../../daemon/sync/transport.ts';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';

const never = new AbortController().signal;
const item = (id: string): ImportItem => ({ line: 1, id, userId: id, bytes: 1, user: { id, custom: {} } });

async function sent(answer: unknown): Promise<{ reply: Reply; submitted: unknown[] }> {
  const submitted: unknown[] = [];
  const submit = async (...args: readonly unknown[]): Promise<unknown> => {
    submitted.push(args);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const send = createInsideSender({ submit: submit as never }, { existing: 'replace', mergeCustom: true }, 'import-1');
  const { user: _, ...device } = item('d');
  return { reply: await send([item('a'), device, item('b')], never), submitted };
}

test('IM2 IM3 the users of a batch are one command of the import, and the answer has a list for each outcome', async () => {
  const users = ['created', 'updated', 'unchanged', 'reactivated', 'restored'].map((change) => ({ user: { id: change }, change }));
  const { reply, submitted } = await sent({ users });
  const command = { kind: 'upsert', actor: { kind: 'server' }, problems: [], existing: 'replace', mergeCustom: true };
  assert.deepEqual(submitted, [[{ ...command, users: [item('a').user, item('b').user] }, 'bulk', { source: 'import', job: 'import-1' }]]);
  const lists = Object.fromEntries(users.map(({ change }) => [change, [change]]));
  assert.deepEqual([reply.status, reply.body, reply.header('x')], [200, { users: {}, ...lists }, undefined]);
});

test('RN7 a refusal is an answer that names the users', async () => {
  const { reply } = await sent(fieldErrors('input', [{ path: 'users[b].role', message: 'does not exist' }]));
  assert.equal(reply.status, 400);
  const refusal = readRefusal(reply, [{ id: 'a' }, { id: 'b' }]);
  assert.ok(refusal.kind === 'named');
  assert.deepEqual([...refusal.reasons], [['b', { code: 4, reason: 'role: does not exist' }]]);
  assert.equal((await sent(new RosterError('unavailable', 'no space'))).reply.status, 503);
});

test('IM2 a mistake of the daemon is no answer', async () => {
  for (const error of [new TypeError('a mistake'), new RosterError('internal', 'a mistake')]) await assert.rejects(sent(error), error);
});
