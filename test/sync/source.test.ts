/** SS: from bytes to users that may be sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdMap } from '../../daemon/sync/id-map.ts';
import { jsonItems, jsonLines } from '../../daemon/sync/json-rows.ts';
import { LineSplitter, SOURCE_LINE_BYTES_MAX } from '../../daemon/sync/line-reader.ts';
import type { RowError } from '../../daemon/sync/rows.ts';
import { BATCH_LIMITS, RowReader, readBatches, type SourceBatch } from '../../daemon/sync/source.ts';
import { rowCheck, type SourceUser } from '../../daemon/sync/source-user.ts';
import { upsertRequest } from '../../daemon/sync/upserter.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import { TurnCount } from '../support/turn-count.ts';

async function* chunksOf(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function read(data: Buffer | string, chunkSize = 7): Promise<SourceBatch<SourceUser>[]> {
  const batches: SourceBatch<SourceUser>[] = [];
  const rows = jsonLines(chunksOf(Buffer.from(data), chunkSize));
  for await (const batch of readBatches(rows, rowCheck({ map: (value) => ({ value }) }))) batches.push(batch);
  return batches;
}

/** The ids that may be sent, as `line:id`. */
async function users(data: Buffer | string, chunkSize?: number): Promise<string[]> {
  return (await read(data, chunkSize)).flatMap((batch) => batch.users.map(({ line, id }) => `${line}:${id}`));
}

async function failures(...lines: readonly (string | Buffer)[]): Promise<RowError[]> {
  const data = Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from('\n')]));
  return (await read(data, 1000)).flatMap((batch) => batch.errors);
}

test('SS1 LF, CRLF, blank lines, a byte order mark and a missing last newline, however the bytes are cut', async () => {
  const text = '\uFEFF{"id":"a"}\r\n\n  \t\r\n{"id":"b","name":"Zoë 🎈"}\n\r\n{"id":"c"}';
  for (const size of [1, 2, 3, 5, 1000]) {
    assert.deepEqual(await users(text, size), ['1:a', '4:b', '6:c'], `chunks of ${size}`);
    const batches = await read(text, size);
    assert.equal(
      batches.reduce((sum, { bytes }) => sum + bytes, 0),
      Buffer.byteLength(text),
    );
    assert.deepEqual(JSON.parse(batches[0]?.users[1]?.json ?? ''), { id: 'b', name: 'Zoë 🎈' });
  }
});

test('IM12 other work has its turns while rows are read, also when all of them are in one chunk and wrong', async () => {
  for (const text of ['x\n'.repeat(100_000), `[${'x,'.repeat(100_000)}x]`]) {
    const rows = jsonItems(chunksOf(Buffer.from(text), text.length));
    const loop = new TurnCount();
    let errors = 0;
    let most = 0;
    let lastTurns = 0;
    let since = 0;
    for await (const batch of readBatches(rows, rowCheck({ map: (value) => ({ value }) }))) {
      errors += batch.errors.length;
      since = loop.turns === lastTurns ? since + batch.errors.length : 0;
      lastTurns = loop.turns;
      most = Math.max(most, since);
    }
    loop.stop();
    assert.ok(errors >= 100_000);
    assert.ok(loop.turns > 10, `${loop.turns} turns`);
    assert.ok(most < errors / 5, `${most} rows in one turn`);
  }
});

test('SS1 CR alone ends a line, however the bytes are cut', async () => {
  const text = '{"id":"a"}\r{"id":"b"}\r\r\n{"id":"c"}\n\r{"id":"d"}\r';
  for (const size of [1, 2, 3, 11, 1000]) {
    assert.deepEqual(await users(text, size), ['1:a', '2:b', '4:c', '6:d'], `chunks of ${size}`);
    assert.equal(
      (await read(text, size)).reduce((sum, { bytes }) => sum + bytes, 0),
      text.length,
    );
  }
});

test('SS16 a number that would become another number is an error that names it, and the user', async () => {
  const found = await failures(
    '{"id":"a","discord":175928847299117063,"name":7}',
    '{"id":9007199254740993}',
    '{"id":"c","created_at":1759288472991170631,"rev":9007199254740993}',
    '{"id":"d","x":{"y":[1,-9007199254740993]},"z":"9007199254740993"}',
    '9007199254740993',
  );
  const reason = (number: string) => `${number} is too big to be an exact number; write it as text`;
  assert.deepEqual(
    found.map((error) => [error.line, error.id, error.reason]),
    [
      [1, 'a', reason('discord: 175928847299117063')],
      [2, undefined, reason('id: 9007199254740993')],
      [4, 'd', reason('x.y[1]: -9007199254740993')],
      [5, undefined, reason('9007199254740993')],
    ],
  );
});

test('SS2 an empty source has no users', async () => {
  for (const text of ['', '\n', '\r\n\r\n', '\uFEFF', ' ']) assert.deepEqual(await users(text), []);
});

test('SS3 a line may have 64 KiB, one byte more is an error of that line alone', async () => {
  const line = (id: string, bytes: number) => `${`{"id":"${id}"`.padEnd(bytes - 1, ' ')}}`;
  const text = [
    line('max', SOURCE_LINE_BYTES_MAX),
    line('more', SOURCE_LINE_BYTES_MAX + 1),
    line('much', SOURCE_LINE_BYTES_MAX * 5),
    '{"id":"z"}',
  ].join('\r\n');
  for (const size of [4096, SOURCE_LINE_BYTES_MAX * 10]) {
    assert.deepEqual(await users(text, size), ['1:max', '4:z']);
    const found = (await read(text, size)).flatMap((batch) => batch.errors);
    assert.deepEqual(
      found.map(({ line: at, code }) => [at, code]),
      [
        [2, 'line_too_long'],
        [3, 'line_too_long'],
      ],
    );
    const bytes = (await read(text, size)).reduce((sum, batch) => sum + batch.bytes, 0);
    assert.equal(bytes, text.length);
  }
});

test('SS4 a line without end is not held in memory', () => {
  const splitter = new LineSplitter();
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 200; i++) assert.deepEqual(splitter.push(Buffer.from(chunk)), []);
  assert.ok(process.memoryUsage().arrayBuffers - before < 150 * 1024 * 1024, 'the line was kept');
  assert.deepEqual(splitter.end(), [{ line: 1, bytes: 200 * 1024 * 1024, content: undefined }]);
});

test('SS5 broken JSON and broken UTF-8 are errors of their line', async () => {
  const found = await failures('{"id":"a"', Buffer.from([0x7b, 0xff, 0x7d]), '{"id":"b"}', '{id:1}', '{"id":"c"} {}', '\uFEFF{"id":"d"}');
  assert.deepEqual(
    found.map(({ line, code }) => `${line} ${code}`),
    ['1 invalid_json', '2 invalid_utf8', '4 invalid_json', '5 invalid_json', '6 invalid_json'],
  );
});

const tooLongId = 'x'.repeat(256);
const wrong: [string, unknown, RegExp, string?][] = [
  ['a number', 1, /must be object/],
  ['null', null, /must be object/],
  ['a list', [{ id: 'a' }], /must be object/],
  ['no id', { name: 'x' }, /^id: /],
  ['an empty id', { id: '' }, /^id: /],
  ['a number as id', { id: 7 }, /^id: /],
  ['an id with a space', { id: 'a b' }, /^id: /],
  ['an id that is too long', { id: tooLongId }, /^id: .*255/],
  ['the id constructor', { id: 'constructor' }, /^id: .*reserved/],
  ['a role that is no text', { id: 'a', role: 5 }, /role/, 'a'],
  ['teams that are no list', { id: 'a', teams: 'red' }, /teams/, 'a'],
  ['several wrong fields', { id: 'a', name: 5, invisible: 'no' }, /name.*; .*invisible/s, 'a'],
  ['a forbidden custom key', { id: 'a', prototype: 1 }, /prototype.*reserved/, 'a'],
  ['a forbidden key far inside', { id: 'a', deep: [{ constructor: 1 }] }, /deep\[0\]\.constructor.*reserved/, 'a'],
  ['more than 10 kB', { id: 'a', text: 'x'.repeat(LIMITS.serverUserBytes) }, /at most 10240/, 'a'],
];
for (const [what, user, reason, id] of wrong) {
  test(`SS6 ${what} is refused before sending`, async () => {
    const [found, ...others] = await failures(JSON.stringify(user));
    assert.deepEqual(others, []);
    assert.equal(found?.code, 'invalid_user');
    assert.equal(found?.id, id);
    assert.match(found?.reason ?? '', reason);
  });
}

test('SS7 __proto__ is refused as id and as key', async () => {
  const found = await failures('{"id":"__proto__"}', '{"id":"a","__proto__":{"x":1}}', '{"id":"b","c":{"__proto__":1}}');
  assert.deepEqual(
    found.map(({ line, code }) => `${line} ${code}`),
    ['1 invalid_user', '2 invalid_user', '3 invalid_user'],
  );
});

test('SS8 the size limit is that of the daemon: 10,240 bytes of name, image and custom data', async () => {
  const fixed = '{"custom":{"text":""}}'.length;
  const json = (bytes: number) => JSON.stringify({ id: 'a', text: 'é'.repeat((bytes - fixed) / 2) });
  assert.deepEqual(await failures(json(LIMITS.serverUserBytes)), []);
  assert.equal((await failures(json(LIMITS.serverUserBytes + 2))).length, 1);
});

test('SS9 read-only fields that were exported are no error', async () => {
  const exported = { id: 'a', online: true, created_at: '2026-01-01T00:00:00Z', banned: false, mutes: [], rev: 3 };
  assert.deepEqual(await failures(JSON.stringify(exported)), []);
});

test('SS10 of two lines with one id the first counts; the second names both', async () => {
  const text = ['{"id":"a","n":1}', '{"id":"b"}', '{"id":"a","n":2}', '{"id":"a","n":3}'].join('\n');
  assert.deepEqual(await users(text), ['1:a', '2:b']);
  assert.deepEqual(await failures(text), [
    { line: 3, id: 'a', code: 'duplicate_id', reason: 'line 3 names the same user as line 1; line 1 counts' },
    { line: 4, id: 'a', code: 'duplicate_id', reason: 'line 4 names the same user as line 1; line 1 counts' },
  ]);
});

test('SS11 a line that was refused does not claim its id', async () => {
  assert.deepEqual(await users('{"id":"a","role":1}\n{"id":"a"}'), ['2:a']);
});

test('SS12 ids are remembered beyond what one Map holds', () => {
  const ids = new IdMap(2);
  for (let i = 1; i <= 7; i++) ids.set(`u${i}`, i);
  for (let i = 1; i <= 7; i++) assert.equal(ids.get(`u${i}`), i);
  for (const i of [1, 4, 7]) ids.set(`u${i}`, 99);
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((i) => ids.get(`u${i}`)),
    [99, 2, 3, 99, 5, 6, 99, undefined],
  );
  ids.fill(0);
  assert.deepEqual(
    [1, 7, 8].map((i) => ids.get(`u${i}`)),
    [0, 0, undefined],
  );
});

test('SS12 an id that is known is changed where it is, also when its map is full', () => {
  const ids = new IdMap(2);
  for (const id of ['a', 'b', 'a']) ids.set(id, id === 'b' ? 1 : 2);
  for (const id of ['c', 'd', 'e']) ids.set(id, 3);
  ids.set('a', 4);
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e'].map((id) => ids.get(id)),
    [4, 1, 3, 3, 3],
  );
  ids.fill(0);
  assert.deepEqual(
    ['a', 'c', 'e', 'f'].map((id) => ids.get(id)),
    [0, 0, 0, undefined],
  );
});

test('SS13 a batch ends with 100 users', async () => {
  const lines = Array.from({ length: 250 }, (_, i) => `{"id":"u${i}"}`).join('\n');
  const batches = await read(lines, 64);
  assert.deepEqual(
    batches.map((batch) => [batch.users.length, batch.lastAt]),
    [
      [100, 100],
      [100, 200],
      [50, 250],
    ],
  );
});

test('SS14 a batch of large lines ends before a request would be too big', async () => {
  // White space is not counted in the user's size, but it is sent.
  const lines = Array.from({ length: 100 }, (_, i) => `{"id":"u${i}"${' '.repeat(60_000)}}`).join('\n');
  const batches = await read(lines, 1 << 20);
  assert.ok(batches.length > 1);
  for (const batch of batches) {
    const body = batch.users.reduce((sum, { id, bytes }) => sum + id.length + bytes + 4, 20);
    assert.ok(body <= LIMITS.bodyBytes, `${body} bytes`);
  }
});

test('SS15 a source full of errors does not pile them up', async () => {
  const batches = await read('{\n'.repeat(2_500), 1 << 20);
  assert.deepEqual(
    batches.map((batch) => batch.errors.length),
    [1_000, 1_000, 500],
  );
});

test('SS14 a batch ends with its users, their bytes or its errors, whichever comes first', async () => {
  const shape = async (limits: { users: number; bytes: number; errors: number }): Promise<unknown> => {
    const found: unknown[] = [];
    const text = '{"id":"a"}\n{\n{"id":"b"}\n{\n{"id":"c"}\n';
    const rows = jsonLines(chunksOf(Buffer.from(text), 1_000));
    for await (const batch of readBatches(rows, rowCheck({ map: (value) => ({ value }) }), limits))
      found.push([batch.users.length, batch.errors.length, batch.lastAt, batch.bytes]);
    return found;
  };
  const none = { users: 100, bytes: 1_000, errors: 100 };
  assert.deepEqual(await shape(none), [[3, 2, 5, 37]]);
  assert.deepEqual(await shape({ ...none, users: 2 }), [
    [2, 1, 3, 37],
    [1, 1, 5, 0],
  ]);
  assert.deepEqual(await shape({ ...none, bytes: 20 }), [
    [2, 1, 3, 37],
    [1, 1, 5, 0],
  ]);
  assert.deepEqual(await shape({ ...none, bytes: 21 }), [[3, 2, 5, 37]]);
  assert.deepEqual(await shape({ ...none, errors: 1 }), [
    [1, 1, 2, 37],
    [1, 1, 4, 0],
    [1, 0, 5, 0],
  ]);
  assert.deepEqual(await shape({ ...none, errors: 2 }), [
    [2, 2, 4, 37],
    [1, 0, 5, 0],
  ]);
});

test('SO6 blank bytes at the end of a source are those of a batch without users', async () => {
  assert.deepEqual(
    (await read('\n\n', 100)).map(({ users: found, bytes }) => [found.length, bytes]),
    [[0, 2]],
  );
  assert.deepEqual(await read('', 100), []);
});

test('RN24 what was read before a source broke is handed out, and then its error', async () => {
  async function* rows() {
    yield { rows: [{ line: 1, value: { id: 'a' } }], bytes: 9 };
    throw new Error('broken');
  }
  const found: unknown[] = [];
  const reading = async (): Promise<void> => {
    for await (const { users: some } of readBatches(rows(), rowCheck({ map: (value) => ({ value }) }))) found.push(some.length);
  };
  await assert.rejects(reading(), /^Error: broken$/);
  assert.deepEqual(found, [1]);
});

test('IM15 rows that are no users are named as what they are when they come twice', () => {
  const reader = new RowReader((row) => ({ line: row.line, id: 'a', what: 'device', bytes: 1 }));
  assert.equal(reader.has('a'), false);
  reader.take({ line: 1, value: 1 });
  assert.equal(reader.has('a'), true);
  assert.deepEqual(reader.take({ line: 2, value: 2 }), {
    ...{ line: 2, id: 'a', code: 'duplicate_id', reason: 'line 2 names the same device as line 1; line 1 counts' },
  });
});

test('SS14 the fullest batch is as big as a request may be, and wastes next to nothing of it', () => {
  const id = 'x'.repeat(LIMITS.idChars);
  const batch = Array.from({ length: LIMITS.batchUsers }, () => ({ line: 1, id, json: '', bytes: 0 }));
  const frame = (upsertRequest(batch, 'reactivate').body ?? '').length;
  const spare = LIMITS.bodyBytes - (BATCH_LIMITS.bytes + SOURCE_LINE_BYTES_MAX + frame);
  assert.ok(spare >= 0 && spare < 29, `${spare} bytes`);
  assert.deepEqual([BATCH_LIMITS.users, BATCH_LIMITS.errors], [100, 1_000]);
});
