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

test('AP3 of a long answer only the beginning is read', async () => {
  let read = 0;
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) {
      read++;
      yield Buffer.from('x'.repeat(16 * 1024));
    }
  }
  const server: SyncServer = { ask: () => assert.fail(), stream: async () => ({ status: 500, chunks: endless() }) };
  const reply = await readRevisions(server, new Revisions(), never);
  assert.deepEqual([reply.text.length, read], [5 * 16 * 1024, 5]);
});

test('AP3 a user of revision 0 that is deactivated is not there; an error of the connection is passed on as it is', async () => {
  const revisions = new Revisions();
  revisions.add('ann');
  revisions.note('ann', 7, true);
  assert.deepEqual(revisions.get('ann'), { rev: 7, isDeactivated: true });
  revisions.note('ann', 8, false);
  revisions.note('bob', 9, false);
  assert.deepEqual(
    [revisions.get('ann'), revisions.get('bob')],
    [
      { rev: 8, isDeactivated: false },
      { rev: 0, isDeactivated: false },
    ],
  );
  const cut = new TransportError('cut');
  async function* chunks(): AsyncGenerator<Buffer> {
    yield Buffer.from('{"epoch":"e","seq":1,"count":1}\n');
    throw cut;
  }
  const server: SyncServer = { ask: () => assert.fail(), stream: async () => ({ status: 200, chunks: chunks() }) };
  await assert.rejects(readRevisions(server, revisions, never), cut);
  await assert.rejects(readRevisions(serverOf(200, [{ epoch: 'e', seq: 1, count: 1 }]), revisions, never), {
    ...{ name: 'TransportError', message: 'the list of users broke off' },
  });
});
