/** BU7: what is refused before it is parsed. */
import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import { parseJson, readJsonBody } from '../../../daemon/edge/http/body.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';

function requestOf(body: Buffer, encoding?: string): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.headers = { 'content-length': String(body.length), ...(encoding === undefined ? undefined : { 'content-encoding': encoding }) };
  request.push(body);
  request.push(null);
  return request;
}

const sent = (body: Buffer, encoding?: string): Promise<unknown> => readJsonBody(requestOf(body, encoding));

const refused = (body: Buffer, reason: RegExp, encoding?: string): Promise<void> =>
  assert.rejects(sent(body, encoding), (error) => error instanceof RosterError && error.kind === 'too_big' && reason.test(error.message));

test('BU7 a body holds at most 100,000 values, counted outside of texts', async () => {
  const numbers = (count: number): Buffer => Buffer.from(`[${Array.from({ length: count }, () => 1).join(',')}]`);
  assert.equal(((await sent(numbers(LIMITS.bodyValues - 1))) as unknown[]).length, 99_999);
  await refused(numbers(LIMITS.bodyValues + 1), /100000 values/);
  await refused(Buffer.from(`[${'{},'.repeat(690_000)}{}]`), /100000 values/);
  await refused(Buffer.from(`${'['.repeat(200_000)}${']'.repeat(200_000)}`), /100000 values/);
  const text = '",[{\\"'.repeat(100_000);
  assert.deepEqual(await sent(Buffer.from(JSON.stringify([text, '\\', 'a,b']))), [text, '\\', 'a,b'], 'commas in texts are no values');
});

test('BU7 the values of a body are counted in one pass, however many quotes its texts hold', async (t) => {
  let searches = 0;
  const { indexOf } = Buffer.prototype;
  t.after(() => Object.assign(Buffer.prototype, { indexOf }));
  Object.assign(Buffer.prototype, {
    indexOf(this: Buffer, ...asked: Parameters<typeof indexOf>): number {
      searches++;
      return indexOf.apply(this, asked);
    },
  });
  const long = 'x'.repeat(LIMITS.bodyValues);
  for (const text of ['"'.repeat(900_000), `${long}"\\`, `${long}\\"`, '\\'.repeat(900_000)]) {
    searches = 0;
    const read = await sent(Buffer.from(JSON.stringify([text, 1, 'y'])));
    assert.ok(Array.isArray(read) && read[0] === text && read[2] === 'y');
    assert.ok(searches <= 2, `${searches} searches`);
  }
});

test('HI10 the place of an error is named, in a long text too', async () => {
  const places: readonly (readonly [string, string])[] = [
    [`[1,\n\r\t 2,\n\v3]`, 'unexpected "\\u000b" at line 3, column 1'],
    [`${'\n'.repeat(1_000_000)}x`, 'unexpected "x" at line 1000001, column 1'],
    [`${' '.repeat(1_000_000)}{`, 'the text ends too early'],
  ];
  for (const [text, message] of places)
    await assert.rejects(sent(Buffer.from(text)), (error: Error) => error.message === `body: is not JSON: ${message}`);
});

test('BU9 a body has its own bound of bytes for each kind of caller, also when it is unpacked', async () => {
  const text = Buffer.from(JSON.stringify('x'.repeat(70_000)));
  const read = (body: Buffer, encoding?: string): Promise<unknown> =>
    readJsonBody(requestOf(body, encoding), { bytesMax: LIMITS.anonymousBodyBytes });
  await assert.rejects(read(text), /the body is bigger than 65536 bytes/);
  await assert.rejects(read(gzipSync(text), 'gzip'), /the unpacked body is bigger than 65536 bytes/);
  assert.equal(await read(Buffer.from('"x"')), 'x');
});

test('BU7 a body may be compressed by 200 to 1, and a short one by more', async () => {
  const text = (chars: number, of = 'x'): Buffer => Buffer.from(JSON.stringify([of.repeat(chars / of.length)]));
  assert.ok(await sent(gzipSync(text(60_000)), 'gzip'));
  await refused(gzipSync(text(1_000_000)), /200 to 1/, 'gzip');
  await refused(deflateSync(text(1_000_000)), /200 to 1/, 'deflate');
  const usual = Array.from({ length: 100 }, (_, n) => ({ id: `user-${n}`, name: `Some Name ${n}`, custom: { bio: 'x'.repeat(150), n } }));
  assert.deepEqual(await sent(gzipSync(JSON.stringify({ users: usual })), 'gzip'), { users: usual });
});

test('BU11 JSON of more than 64 levels is refused with its place, before anything walks it', () => {
  const nested = (depth: number): string => `{"preferences":[{"chat_preferences":${'{"a":'.repeat(depth - 3)}[]${'}'.repeat(depth - 3)}}]}`;
  assert.ok(parseJson(nested(63), 'body'));
  for (const depth of [64, 65, 9_900])
    for (const [text, place] of [
      [nested(depth), 'preferences\\[0\\].chat_preferences.a'],
      ['['.repeat(depth + 1) + ']'.repeat(depth + 1), '\\[0\\]'],
    ] as const)
      assert.throws(
        () => parseJson(text, 'payload'),
        (error) => error instanceof RosterError && error.kind === 'input' && new RegExp(`^${place}.*64 levels`).test(error.message),
      );
});
