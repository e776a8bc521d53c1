/** AP4: which refusals speak of another revision. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import { isPrecondition, readRefusal } from '../../daemon/sync/refusal.ts';
import { type Reply, replyOf } from '../../daemon/sync/transport.ts';

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return replyOf(status, JSON.stringify(body), (name) => headers[name]);
}

test('AP4 only the words for another revision are taken for it', () => {
  const yes = ['the user ann has revision 17, not 12', 'the user ann does not exist', 'the user ann exists already (revision 17)'];
  const no = ['the user ann was deleted', 'role "boss" does not exist', 'the name is taken', 'the user ann has revision 17'];
  for (const text of yes) assert.equal(isPrecondition(text), true, text);
  for (const text of no) assert.equal(isPrecondition(text), false, text);
  const body = {
    code: 4,
    message: 'no',
    errors: [
      { path: 'users[a]', code: 4, message: 'the user a has revision 2, not 1' },
      { path: 'users[b]', code: 4, message: 'the user b has revision 2, not 1' },
      { path: 'users[b].role', code: 4, message: 'does not exist' },
    ],
  };
  const refusal = readRefusal(answer(412, body), [{ id: 'a' }, { id: 'b' }]);
  assert.ok(refusal.kind === 'named');
  assert.deepEqual([refusal.reasons.get('a')?.isPrecondition, refusal.reasons.get('b')?.isPrecondition], [true, undefined]);
});
