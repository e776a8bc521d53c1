/** IM: how an import cuts its file into items, and what it says of each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkItem, type ItemRules } from '../../../daemon/jobs/transfer/import-item.ts';
import { BrokenList, ListSplitter, readItems } from '../../../daemon/sync/item-reader.ts';
import { LINE_BYTES_MAX, type RawLine } from '../../../daemon/sync/line-reader.ts';
import { seeded, testOption } from '../../support/random.ts';

async function* pieces(text: string | Buffer, size: number | (() => number)): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    const length = typeof size === 'number' ? size : size();
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

async function split(text: string | Buffer, size: number | (() => number) = 7): Promise<RawLine[]> {
  const found: RawLine[] = [];
  for await (const items of readItems(pieces(text, size))) found.push(...items);
  return found;
}

async function texts(text: string | Buffer, size?: number | (() => number)): Promise<(string | undefined)[]> {
  return (await split(text, size)).map(({ content }) => content?.toString().trim());
}

test('IM6 JSON Lines and one JSON list are the same items, however the bytes come', async () => {
  const items = [{ id: 'a' }, { id: 'b', text: '[{,"}] \\ "quoted\\" ü \u2028' }, { list: [[1], { a: ['}'] }] }, 7, '],', null];
  const lines = items.map((item) => JSON.stringify(item));
  const forms = [
    lines.join('\n'),
    `\ufeff${lines.join('\r\n')}\r\n`,
    `[${lines.join(',')}]`,
    `\ufeff \n\t[\n${lines.join('\n,\n')}\n]\n\n`,
    JSON.stringify(items, null, 2),
  ];
  for (const [index, form] of forms.entries()) {
    for (let size = 1; size <= 16; size++) {
      const found = (await texts(form, size)).map((text) => JSON.parse(text ?? ''));
      assert.deepEqual(found, items, `form ${index} in pieces of ${size}`);
    }
  }
});

test('IM6 items have numbers, and the number of bytes adds up to the file', async () => {
  const list = '[ {"a":1} ,\n{"b":2}]';
  const found = await split(list);
  assert.deepEqual(
    found.map(({ line }) => line),
    [1, 2],
  );
  assert.equal(
    found.reduce((sum, { bytes }) => sum + bytes, 1),
    list.length,
  );
});

test('IM6 an empty file, an empty list and blank lines hold no items', async () => {
  assert.deepEqual(await texts(''), []);
  assert.deepEqual(await texts(' \n \n'), []);
  assert.deepEqual(await texts('[]'), []);
  assert.deepEqual(await texts(' [ \n ] '), []);
});

for (const [what, text] of [
  ['is not closed', '[{"a":1}'],
  ['is not closed', '[{"a":"]"'],
  ['is not closed', '['],
  ['something follows', '[{"a":1}] x'],
  ['something follows', '[][]'],
  ['nothing where item 2', '[{"a":1},]'],
  ['nothing where item 1', '[,{"a":1}]'],
  ['nothing where item 2', '[1,,2]'],
] as const) {
  test(`IM6 a broken list is refused: ${text}`, async () => {
    for (const size of [1, 3, 100])
      await assert.rejects(split(text, size), (error) => error instanceof BrokenList && error.message.includes(what));
  });
}

test('IM6 what is wrong inside an item stays in this item', async () => {
  assert.deepEqual(await texts('[{"a":1}{"b":2},{]},[1}},3]'), ['{"a":1}{"b":2}', '{]}', '[1}}', '3']);
});

test('IM6 an item that is too long is passed over without being held', async () => {
  const long = `"${'x'.repeat(LINE_BYTES_MAX)}"`;
  assert.deepEqual(await texts(`[1,${long},2]`, 50_000), ['1', undefined, '2']);
  const exact = `"${'x'.repeat(LINE_BYTES_MAX - 2)}"`;
  assert.deepEqual(await texts(`[${exact}]`, 1_000), [exact]);
  const splitter = new ListSplitter(10);
  splitter.push(Buffer.from('["'));
  for (let i = 0; i < 1_000; i++) assert.deepEqual(splitter.push(Buffer.from('y'.repeat(100))), []);
  assert.deepEqual(
    splitter.push(Buffer.from('",1]')).map(({ content }) => content?.toString()),
    [undefined, '1'],
  );
});

test('IM6 random items in random pieces come back', async () => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  const random = seeded(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const alphabet = ['"', '\\', '[', ']', '{', '}', ',', ':', ' ', '\n', 'é', '😀', 'a'];
  const value = (depth: number): unknown => {
    const kind = below(depth > 3 ? 3 : 5);
    if (kind === 0) return below(1_000) - 500.5;
    if (kind === 1) return Array.from({ length: below(12) }, () => alphabet[below(alphabet.length)]).join('');
    if (kind === 2) return [true, false, null][below(3)];
    if (kind === 3) return Array.from({ length: below(4) }, () => value(depth + 1));
    return Object.fromEntries(Array.from({ length: below(4) }, () => [alphabet[below(alphabet.length)] ?? '', value(depth + 1)]));
  };
  for (let round = 0; round < 300; round++) {
    const items = Array.from({ length: below(8) }, () => ({ value: value(0) }));
    const indent = below(3);
    const found = (await texts(JSON.stringify(items, null, indent), () => 1 + below(20))).map((text) => JSON.parse(text ?? ''));
    assert.deepEqual(found, items, `seed ${seed}, round ${round}`);
  }
});

const RULES: ItemRules = { hasRole: (role) => role === 'user' || role === 'captain', wasDeleted: (id) => id === 'gone' };

test('IM7 an item is a user under "item" or "data"; the user is handed on as it stands', () => {
  for (const key of ['item', 'data']) {
    const user = { id: 'ann', name: 'Ann', role: 'captain', teams: ['red'], color: 'blue' };
    assert.deepEqual(checkItem({ type: 'user', [key]: user }, RULES), { id: 'ann', json: JSON.stringify(user) });
  }
});

for (const [what, item, id, ...expected] of [
  ['no object', [], undefined, /must be an object/],
  ['no type', { item: { id: 'a' } }, undefined, /type: must be "user"/],
  ['a message', { type: 'message', item: { id: 'a' } }, undefined, /holds users only; items of the type "message"/],
  ['no user', { type: 'user' }, undefined, /item: must be an object/],
  ['no id', { type: 'user', item: { name: 'x' } }, undefined, /id: must not be empty/],
  ['a bad id', { type: 'user', item: { id: 'a b' } }, undefined, /id: may contain only/],
  ['a reserved field', { type: 'user', item: { id: 'a', created_at: '2024-01-01T00:00:00Z' } }, 'a', /^created_at: is a reserved field$/],
  ['revocation', { type: 'user', item: { id: 'a', revoke_tokens_issued_before: null } }, 'a', /revoke_tokens_issued_before: is a reserved/],
  ['an unknown role', { type: 'user', item: { id: 'a', role: 'boss' } }, 'a', /role: role "boss" does not exist/],
  ['a deleted user', { type: 'user', item: { id: 'gone' } }, 'gone', /the user gone was deleted/],
  ['too much data', { type: 'user', item: { id: 'a', text: 'x'.repeat(5_200) } }, 'a', /user data is more than 5120 bytes/],
  ['two errors', { type: 'user', item: { id: 'a', banned: true, teams: 'red' } }, 'a', /^banned: is a reserved field$/, /^teams: must be/],
] as const) {
  test(`IM7 refused: ${what}`, () => {
    const checked = checkItem(item, RULES);
    assert.ok('problems' in checked, 'nothing was refused');
    assert.equal(checked.id, id);
    assert.equal(checked.problems.length, expected.length, checked.problems.join('; '));
    for (const [index, pattern] of expected.entries()) assert.match(checked.problems[index] ?? '', pattern);
  });
}
