/** RN7, RN9, RN10, RN12, RN13: a batch is sent until each of its users is settled. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BatchUser, type RefusedUser, settleBatch } from '../../daemon/sync/settle-batch.ts';
import { type Reply, replyOf } from '../../daemon/sync/transport.ts';

const reply = (status: number, body: object = {}): Reply => replyOf(status, JSON.stringify(body));
const batchOf = (ids: string): BatchUser[] => [...ids].map((id, index) => ({ line: index + 1, id }));

/** Sends the users named by these letters. Each batch is one word. */
async function settled(
  ids: string,
  answer: (batch: string) => Reply | undefined,
  accept: (batch: string) => boolean = () => true,
  isInDoubt = false,
) {
  const sent: string[] = [];
  const accepted: string[] = [];
  const fatal: string[] = [];
  const rest = { refused: [] as RefusedUser[], notSent: [] as BatchUser[], inDoubt: new Set<string>() };
  const wordOf = (batch: readonly BatchUser[]): string => batch.map(({ id }) => id).join('');
  await settleBatch(
    batchOf(ids),
    {
      send: async (batch) => {
        sent.push(wordOf(batch));
        return { reply: answer(wordOf(batch)), isInDoubt };
      },
      accept: (batch) => {
        if (!accept(wordOf(batch))) return false;
        accepted.push(wordOf(batch));
        return true;
      },
      onFatal: (reason) => fatal.push(reason),
    },
    rest,
  );
  const refused = rest.refused.map(({ line, id, code, reason }) => `${line} ${id} ${code} ${reason}`);
  return { sent, accepted, refused, notSent: wordOf(rest.notSent), inDoubt: [...rest.inDoubt].join(''), fatal };
}

test('RN7 the users that an answer names are refused, and the others are sent again', async () => {
  const errors = [
    { path: 'users[b]', code: 6, message: 'is taken' },
    { path: 'users[d].role', code: 4, message: 'is wrong' },
  ];
  const { sent, accepted, refused } = await settled('abcd', (batch) => (batch === 'abcd' ? reply(400, { errors }) : reply(200)));
  assert.deepEqual([sent, accepted], [['abcd', 'ac'], ['ac']]);
  assert.deepEqual(refused, ['2 b 6 is taken', '4 d 4 role: is wrong']);
  const all = await settled('bd', () => reply(400, { errors }));
  assert.deepEqual([all.sent, all.refused.length, all.notSent], [['bd'], 2, ''], 'nobody is left to be sent');
  assert.deepEqual((await settled('', () => reply(200))).sent, []);
});

test('RN9 a batch whose wrong user has no name is halved, the first half first, until it is alone', async () => {
  const answer = (batch: string): Reply => (batch.includes('d') ? reply(400, { code: 4, message: 'm' }) : reply(200));
  const { sent, refused, accepted } = await settled('abcde', answer);
  assert.deepEqual(sent, ['abcde', 'abc', 'de', 'd', 'e']);
  assert.deepEqual([refused, accepted], [['4 d 4 m'], ['abc', 'e']]);
});

test('RN12 what every batch would meet ends the run: nobody of it is sent or refused', async () => {
  const { sent, refused, notSent, fatal } = await settled('ab', () => reply(401, { code: 5, message: 'm' }));
  assert.deepEqual([sent, refused, notSent, fatal], [['ab'], [], 'ab', ['the daemon answers 401: m']]);
});

test('RN18 users without an answer, or with one that is not to be believed, are not sent', async () => {
  assert.deepEqual((await settled('ab', () => undefined)).notSent, 'ab');
  const strange = await settled(
    'ab',
    () => reply(200),
    () => false,
  );
  assert.deepEqual([strange.notSent, strange.accepted, strange.fatal], ['ab', [], []]);
});

test('RN13 users may be stored when they were sent without an answer, before a refusal of everything, or got a strange answer', async () => {
  const yes = (): boolean => true;
  const fatal = reply(401, { code: 5, message: 'm' });
  for (const [answer, isInDoubt, accept, inDoubt] of [
    [undefined, false, yes, ''],
    [undefined, true, yes, 'ab'],
    [fatal, false, yes, ''],
    [fatal, true, yes, 'ab'],
    [reply(200), false, () => false, 'ab'],
    [reply(200), true, yes, ''],
  ] as const) {
    const ended = await settled('ab', () => answer, accept, isInDoubt);
    assert.deepEqual([ended.inDoubt, ended.notSent.length + ended.accepted.length > 0], [inDoubt, true]);
  }
});

test('RN12 every status from 300 on is a refusal', async () => {
  assert.deepEqual((await settled('a', () => reply(299))).accepted, ['a']);
  assert.deepEqual((await settled('a', () => reply(300))).accepted, []);
});
