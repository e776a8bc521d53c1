/** PN12, UL1: a list of the directory's users is believed only when it is whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokenList, type ListedUser, readUserList } from '../../daemon/sync/user-list.ts';

const HEAD = { epoch: 'e', seq: 9, count: 2 };
const ANN = { id: 'ann', rev: 7 };
const BOB = { id: 'bob', rev: 8, deactivated: true };
const END = { end: true, count: 2 };

async function* chunks(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
}

async function listed(...lines: readonly unknown[]): Promise<ListedUser[]> {
  const found: ListedUser[] = [];
  const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
  await readUserList(chunks(text), (user) => found.push(user));
  return found;
}

test('UL1 a whole list names every user, with its revision and whether it is deactivated', async () => {
  assert.deepEqual(await listed(HEAD, ANN, BOB, END), [
    { id: 'ann', rev: 7, isDeactivated: false },
    { id: 'bob', rev: 8, isDeactivated: true },
  ]);
  assert.deepEqual(await listed({ ...HEAD, count: 0 }, { end: true, count: 0 }), []);
});

test('PN12 a list that breaks off, miscounts, goes on behind its end or holds something else is refused, with its place', async () => {
  const broken: [RegExp, ...unknown[]][] = [
    [/it broke off after 0 users$/],
    [/it broke off after 0 users$/, HEAD],
    [/it broke off after 2 users$/, HEAD, ANN, BOB],
    [/its end counts 2 users, but it holds 1$/, HEAD, ANN, END],
    [/its end counts 2 users, but it holds 3$/, HEAD, ANN, BOB, { id: 'carl', rev: 1 }, END],
    [/it broke off after 1 users$/, HEAD, ANN, { end: true, count: 1 }],
    [/something follows its end$/, HEAD, ANN, BOB, END, ANN],
    [/it does not say how many users it holds$/, { epoch: 'e' }, ANN],
    [/it does not say how many users it holds$/, HEAD, { end: true }],
    [/line 3 is no JSON object$/, HEAD, ANN, 'nonsense'],
    [/line 2 is no JSON object$/, HEAD, '[]'],
    [/line 3 names no user$/, HEAD, ANN, { id: 'bob' }],
    [/line 2 names no user$/, HEAD, { id: 7, rev: 1 }],
    [/line 2 names no user$/, HEAD, { id: 'no id', rev: 1 }],
    [/line 3 is no JSON object$/, HEAD, ANN, { id: 'x'.repeat(5_000), rev: 1 }],
  ];
  for (const [message, ...lines] of broken) {
    await assert.rejects(listed(...lines), (error) => error instanceof BrokenList && message.test(error.message), `${message}`);
  }
});
