/** IM: how an import cuts its file into items, and what it says of each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkItem, type ItemRules } from '../../../daemon/jobs/transfer/import-item.ts';
import { jsonItems } from '../../../daemon/sync/json-rows.ts';
import { SOURCE_LINE_BYTES_MAX } from '../../../daemon/sync/line-reader.ts';
import { ListSplitter } from '../../../daemon/sync/list-reader.ts';
import { BrokenSource, type SourceChunk } from '../../../daemon/sync/rows.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { seeded, testOption } from '../../support/random.ts';

async function* pieces(text: string | Buffer, size: number | (() => number)): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    const length = typeof size === 'number' ? size : size();
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

async function split(text: string | Buffer, size: number | (() => number) = 7): Promise<SourceChunk[]> {
  const found: SourceChunk[] = [];
  for await (const chunk of jsonItems(pieces(text, size))) found.push(chunk);
  return found;
}

/** The values of the items; of one that is wrong, what it is wrong with. */
async function values(text: string | Buffer, size?: number | (() => number)): Promise<unknown[]> {
  const chunks = await split(text, size);
  return chunks.flatMap(({ rows }) => [...rows].map((row) => ('value' in row ? row.value : row.code)));
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
      assert.deepEqual(await values(form, size), items, `form ${index} in pieces of ${size}`);
    }
  }
});

test('IM6 items have numbers, and the number of bytes adds up to the file', async () => {
  const list = '[ {"a":1} ,\n{"b":2}]';
  const found = await split(list);
  assert.deepEqual(
    found.flatMap(({ rows }) => [...rows].map(({ line }) => line)),
    [1, 2],
  );
  assert.equal(
    found.reduce((sum, { bytes }) => sum + bytes, 1),
    list.length,
  );
});

test('IM6 an empty file, an empty list and blank lines hold no items', async () => {
  assert.deepEqual(await values(''), []);
  assert.deepEqual(await values(' \n \n'), []);
  assert.deepEqual(await values('[]'), []);
  assert.deepEqual(await values(' [ \n ] '), []);
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
      await assert.rejects(split(text, size), (error) => error instanceof BrokenSource && error.message.includes(what));
  });
}

test('IM6 what is wrong inside an item stays in this item', async () => {
  assert.deepEqual(await values('[{"a":1}{"b":2},{]},[1}},3]'), ['invalid_json', 'invalid_json', 'invalid_json', 3]);
});

test('IM6 an item that is too long is passed over without being held', async () => {
  const long = `"${'x'.repeat(SOURCE_LINE_BYTES_MAX)}"`;
  assert.deepEqual(await values(`[1,${long},2]`, 50_000), [1, 'line_too_long', 2]);
  const exact = 'x'.repeat(SOURCE_LINE_BYTES_MAX - 2);
  assert.deepEqual(await values(JSON.stringify([exact]), 1_000), [exact]);
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
    const found = await values(JSON.stringify(items, null, indent), () => 1 + below(20));
    assert.deepEqual(found, items, `seed ${seed}, round ${round}`);
  }
});

const RULES: ItemRules = { hasRole: (role) => role === 'user' || role === 'captain', wasDeleted: (id) => id === 'gone' };

test('IM7 an item is a user under "item" or "data"; the user is handed on as the directory takes it', () => {
  for (const key of ['item', 'data']) {
    const user = { id: 'ann', name: 'Ann', role: 'captain', teams: ['red'], color: 'blue' };
    const { color, ...known } = user;
    const expected = { line: 7, id: 'ann', userId: 'ann', bytes: 99, user: { ...known, custom: { color } } };
    assert.deepEqual(checkItem({ line: 7, value: { type: 'user', [key]: user }, bytes: 99 }, RULES), expected);
  }
});

test('IM7 a user may name the users it mutes and its push settings, which are no custom data', () => {
  const read = (more: object) => checkItem({ line: 7, value: { type: 'user', item: { id: 'ann', a: 1, ...more } } }, RULES);
  const plain = { line: 7, id: 'ann', userId: 'ann', bytes: 0, user: { id: 'ann', custom: { a: 1 } } };
  const push = (set: object) => ({ push: { kind: 'push', changes: [{ id: 'ann', set }] } });
  for (const [more, extras] of [
    [{ user_mutes: ['bob', 'cem', 'bob'] }, { mutes: ['bob', 'cem'] }],
    [{ push_notifications: { disabled: true } }, push({ chat_level: 'none', call_level: 'none', feeds_level: 'none' })],
    [
      { push_notifications: { disabled: true, disabled_until: '2030-01-01T00:00:00Z' } },
      push({ disabled_until: Date.UTC(2030, 0) * 1000 }),
    ],
  ] as const) {
    assert.deepEqual(read(more), { ...plain, extras });
  }
  for (const none of [
    { user_mutes: [], push_notifications: null },
    { push_notifications: [] },
    { user_mutes: null, push_notifications: { disabled: false, disabled_until: null } },
  ]) {
    assert.deepEqual(read(none), plain);
  }
});

test('IM7 a device is read under the names of imports and of requests', () => {
  const read = (item: object) => checkItem({ line: 7, value: { type: 'device', item } }, RULES);
  const item = {
    id: 'd1',
    user_id: 'ann',
    push_provider_type: 'firebase',
    push_provider_name: 'main',
    created_at: '2024-01-01T00:00:00Z',
    disabled: false,
  };
  const device = { id: 'd1', push_provider: 'firebase', push_provider_name: 'main', created_at: Date.UTC(2024, 0) * 1000 };
  const expected = {
    line: 7,
    id: 'device:d1',
    what: 'device',
    userId: 'ann',
    bytes: 0,
    extras: { device: { kind: 'device-add', by: 'ann', device } },
  };
  assert.deepEqual(read(item), expected);
  assert.ok('extras' in read({ id: 'd', user_id: 'ann', push_provider: 'apn', voip: true, created_at: null }));
  for (const [wrong, pattern] of [
    [{ ...item, disabled: true, disabled_reason: 'x' }, /^disabled: rosterd holds no disabled devices$/],
    [{ ...item, colour: 'red', badge: 1 }, /^colour: is not held by rosterd; badge: is not held by rosterd$/],
    [{ ...item, push_provider_type: 'pigeon' }, /^push_provider: must be/],
    [{ ...item, user_id: '' }, /^user_id: is required$/],
    [{ ...item, user_id: 'a b' }, /^user_id: /],
    [{ ...item, created_at: 'soon' }, /^created_at: /],
    [{ user_id: 'ann' }, /^id: .*push_provider: /],
  ] as const) {
    const found = read(wrong);
    assert.ok('reason' in found, 'nothing was refused');
    assert.deepEqual([found.code, found.line], ['invalid_device', 7]);
    assert.match(found.reason, pattern);
  }
});

for (const [what, item, id, ...expected] of [
  ['a channel', { type: 'channel', item: { id: 'a', type: 'messaging' } }, undefined, /items of the type "channel" cannot be imported/],
  ['mutes of another form', { type: 'user', item: { id: 'a', user_mutes: 'bob' } }, 'a', /^user_mutes: must be a list of ids$/],
  ['a mute of itself', { type: 'user', item: { id: 'a', user_mutes: ['bob', 'a'] } }, 'a', /cannot mute itself/],
  [
    'push settings',
    { type: 'user', item: { id: 'a', push_notifications: { disabled: true, sound: 1 } } },
    'a',
    /^push_notifications.sound: is not held/,
  ],
  [
    'a push time',
    { type: 'user', item: { id: 'a', push_notifications: { disabled_until: 'x' } } },
    'a',
    /^push_notifications.disabled_until: must be/,
  ],
  [
    'a push switch',
    { type: 'user', item: { id: 'a', push_notifications: { disabled: 'x' } } },
    'a',
    /^push_notifications.disabled: must be a boolean$/,
  ],
  [
    'push settings of another form',
    { type: 'user', item: { id: 'a', push_notifications: 'off' } },
    'a',
    /^push_notifications: must be an object$/,
  ],
  ['a mute of no text', { type: 'user', item: { id: 'a', user_mutes: ['bob', 7] } }, 'a', /^user_mutes\[1\]: must be the id of a user$/],
  ['a mute of no id', { type: 'user', item: { id: 'a', user_mutes: ['b c'] } }, 'a', /^user_mutes\[0\]: may contain only/],
  [
    'too many mutes',
    { type: 'user', item: { id: 'a', user_mutes: Array.from({ length: LIMITS.mutesPerUser + 1 }, (_, n) => `u${n}`) } },
    'a',
    /^user_mutes: must not name more than 500 users$/,
  ],
  ['a type that is no text', { type: 7, item: { id: 'a' } }, undefined, /^type: must be "user" or "device"$/],
  ['an empty type', { type: '', item: { id: 'a' } }, undefined, /^type: must be "user" or "device"$/],
  ['no object', [], undefined, /must be an object/],
  ['no type', { item: { id: 'a' } }, undefined, /type: must be "user" or "device"/],
  [
    'a message',
    { type: 'message', item: { id: 'a' } },
    undefined,
    /holds users and their devices only; items of the type "message" cannot/,
  ],
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
    const found = checkItem({ line: 7, value: item }, RULES);
    assert.ok('reason' in found, 'nothing was refused');
    assert.deepEqual([found.line, found.id, found.code], [7, id, 'invalid_user']);
    const problems = found.reason.split(/; (?=\w+: |the user |user data )/);
    assert.equal(problems.length, expected.length, found.reason);
    for (const [index, pattern] of expected.entries()) assert.match(problems[index] ?? '', pattern);
  });
}

test('SS16 a number of an import that would become another number is an error of its item, and so are its other errors', async () => {
  const user = '{"id":"ann","banned":true,"discord":175928847299117063}';
  const text = `{"type":"user","item":${user}}\r{"type":"user","item":{"id":9007199254740993}}\r{"type":"user","more":9007199254740993,"item":{"id":"bob"}}`;
  const found: unknown[] = [];
  for await (const { rows } of jsonItems(pieces(text, 7))) {
    for (const row of rows) found.push('value' in row ? checkItem(row, RULES) : row);
  }
  const reason = (number: string) => `item.${number} is too big to be an exact number; write it as text`;
  assert.deepEqual(
    found.map((one) => Object(one).reason ?? Object(one).user),
    [`banned: is a reserved field; ${reason('discord: 175928847299117063')}`, reason('id: 9007199254740993'), { id: 'bob', custom: {} }],
  );
});

test('SS16 IM7 a number that is lost is named wherever an item holds it', async () => {
  const N = '9007199254740993';
  const lost = (at: string) => `item.${at}: ${N} is too big to be an exact number; write it as text`;
  for (const [item, code, reason] of [
    [`{"type":"device","item":{"id":${N},"user_id":"ann","push_provider":"apn"}}`, 'invalid_device', lost('id')],
    [`{"type":"device","item":{"id":"d","user_id":${N},"push_provider":"apn"}}`, 'invalid_device', lost('user_id')],
    [`{"type":"user","item":{"id":"ann","user_mutes":["bob",${N}]}}`, 'invalid_user', lost('user_mutes[1]')],
    [
      `{"type":"user","item":{"id":"ann","push_notifications":{"disabled_until":${N}}}}`,
      'invalid_user',
      lost('push_notifications.disabled_until'),
    ],
  ] as const) {
    const [row] = (await split(item)).flatMap(({ rows }) => [...rows]);
    assert.ok(row !== undefined && 'value' in row);
    const found = checkItem(row, RULES);
    assert.ok('reason' in found && found.code === code, item);
    assert.equal(found.reason, reason);
  }
});

test('IM7 SS18 nothing of a user is left out silently: custom data called like a field, and a second user in the item', () => {
  const reasonOf = (value: object) => {
    const found = checkItem({ line: 7, value }, RULES);
    return 'reason' in found ? found.reason : undefined;
  };
  const misplaced = 'custom data cannot be called like a field of the user';
  assert.equal(reasonOf({ type: 'user', item: { id: 'ann', custom: { role: 'chief', a: 1 } } }), `custom.role: ${misplaced}`);
  assert.equal(reasonOf({ type: 'user', item: { id: 'ann', extra_data: { online: true } } }), `extra_data.online: ${misplaced}`);
  assert.match(String(reasonOf({ type: 'user', item: { id: 'ann' }, data: { id: 'bob' } })), /^data: is there beside "item"/);
  assert.match(String(reasonOf({ type: 'device', item: {}, data: { id: 'd' } })), /^data: is there beside "item"/);
  assert.equal(reasonOf({ type: 'user', item: { id: 'ann' }, data: null }), undefined);
});
