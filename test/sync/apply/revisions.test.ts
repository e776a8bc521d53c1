/** AP3: the list of users that says who changed since the plan was made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Revisions, readRevisions } from '../../../daemon/sync/apply/revisions.ts';
import { type SyncServer, TransportError } from '../../../daemon/sync/transport.ts';

const never = new AbortController().signal;

/** Answers one request after the other with these lines. */
function serverOf(status: number, ...answers: readonly (readonly object[])[]): SyncServer {
  const left = [...answers];
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from((left.shift() ?? []).map((line) => `${JSON.stringify(line)}\n`).join(''));
  }
  return { ask: () => assert.fail('only the list is asked for'), stream: async () => ({ status, chunks: chunks() }) };
}

test('AP3 nothing of a list that broke off is believed, also when the next one no longer has the user', async () => {
  const revisions = new Revisions();
  for (const id of ['ann', 'bob', 'carl']) revisions.add(id);
  const brokenOff = [
    { epoch: 'e', seq: 9, count: 3 },
    { id: 'ann', rev: 7 },
    { id: 'bob', rev: 8, deactivated: true },
  ];
  const whole = [
    { epoch: 'e', seq: 10, count: 2 },
    { id: 'carl', rev: 4, deactivated: true },
    { id: 'stranger', rev: 5 },
    { end: true, count: 2 },
  ];
  const server = serverOf(200, brokenOff, whole);
  await assert.rejects(readRevisions(server, revisions, never), (error) => error instanceof TransportError);
  assert.equal((await readRevisions(server, revisions, never)).status, 200);
  const gone = { rev: 0, isDeactivated: false };
  assert.deepEqual(
    ['ann', 'bob', 'carl', 'stranger'].map((id) => revisions.get(id)),
    [gone, gone, { rev: 4, isDeactivated: true }, gone],
  );
});

test('AP3 an answer that is no list is handed back with its beginning', async () => {
  const revisions = new Revisions();
  const reply = await readRevisions(serverOf(403, [{ code: 17, message: 'not for you' }]), revisions, never);
  assert.deepEqual([reply.status, reply.body?.message], [403, 'not for you']);
});
