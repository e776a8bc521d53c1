/** BU15: the text of a long answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ANSWER_PIECE_BYTES, cutUp, isLong, streamOf, writtenInPieces } from '../../../daemon/edge/answers/pieces.ts';

function written(body: object): { readonly text: string; readonly steps: number; readonly grown: readonly number[] } {
  const grown: number[] = [];
  const walk = writtenInPieces(body, (bytes) => grown.push(bytes));
  for (let steps = 0; ; steps++) {
    const step = walk.next();
    if (step.done === true)
      return { text: typeof step.value === 'string' ? step.value : Buffer.concat(step.value).toString(), steps, grown };
  }
}

test('BU15 the text in pieces is that of the whole, whatever it holds', () => {
  const many = (value: object) => Array.from({ length: 40 }, () => value);
  for (const body of [
    { a: undefined, b: [undefined, null, 'ж"\n'], c: many({ d: undefined, e: 1 }), f: {} },
    { users: Object.fromEntries(many({ id: 'x' }).map((user, at) => [`"${at}`, user])) },
    { users: [{ mutes: many({ user: { id: 'ann' }, target: { id: 'bob' } }) }], duration: '1ms' },
  ]) {
    assert.equal(written(body).text, JSON.stringify(body));
  }
  fc.assert(
    fc.property(fc.array(fc.jsonValue({ maxDepth: 4 }), { maxLength: 100 }), (list) => {
      assert.equal(written({ list }).text, JSON.stringify({ list }));
    }),
  );
});

test('BU15 a step of a long answer writes so many lists and objects and no more, at whatever depth; a short answer is one', () => {
  const users = Array.from({ length: 1_000 }, (_, index) => ({ id: `u${index}`, custom: { bio: 'x'.repeat(1_000) } }));
  for (const body of [{ users }, { users: [{ mutes: users }] }, { user: { mutes: users } }]) {
    const { steps, grown } = written(body);
    assert.ok(steps >= 2_000 / 32, `${steps} steps`);
    assert.ok(grown.length >= 3);
    assert.equal(grown.at(-1), Buffer.byteLength(JSON.stringify(body)));
  }
  // A user with so much in it that no other is written together with it.
  const wide = Array.from({ length: 20 }, () => ({ custom: Object.fromEntries(users.slice(0, 20).map((user) => [user.id, {}])) }));
  assert.ok(written({ wide }).steps >= 20);
  assert.equal(isLong({ users: users.slice(0, 3) }), false);
  assert.equal(written({ users: users.slice(0, 3) }).steps, 0);
});

test('BU15 the pieces are handed out as they are taken', async () => {
  const text = Buffer.alloc(3 * ANSWER_PIECE_BYTES + 1, 'x');
  const pieces = cutUp(text);
  assert.deepEqual(
    pieces.map(({ length }) => length),
    [ANSWER_PIECE_BYTES, ANSWER_PIECE_BYTES, ANSWER_PIECE_BYTES, 1],
  );
  let taken = 0;
  const stream = streamOf(pieces, () => taken++);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(taken, 0);
  assert.deepEqual(Buffer.concat(await stream.toArray()), text);
  assert.equal(taken, 5);
});
