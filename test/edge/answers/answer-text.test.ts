/** BU13 and BU15: which long answers are refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Walk } from '../../../daemon/base/slices.ts';
import { stepped, textOf } from '../../../daemon/edge/answers/answer-text.ts';
import { AnswerPlace } from '../../../daemon/edge/answers/waiting.ts';
import { type ErrorKind, RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { ownTime } from '../../support/own-time.ts';

const ANN = { kind: 'user', id: 'ann' } as const;
const bodyOf = (bytes: number) => ({ users: Array.from({ length: 100 }, () => ({ id: 'x'.repeat(bytes / 100) })) });
const is = (kind: ErrorKind) => (error: unknown) => error instanceof RosterError && error.kind === kind;

test('BU15 a read whose answer is too long is refused; a write was carried out, and a server is trusted', async () => {
  const body = bodyOf(LIMITS.answerBytes + 100);
  const read = async (caller: typeof ANN | { readonly kind: 'server' }, isRead: boolean) =>
    textOf({ body }, { caller, isRead, place: undefined });
  await assert.rejects(read(ANN, true), is('too_big'));
  for (const text of [await read(ANN, false), await read({ kind: 'server' }, true)]) assert.ok(Array.isArray(text));
  assert.ok(await textOf({ body: bodyOf(LIMITS.answerBytes / 2) }, { caller: ANN, isRead: true, place: undefined }));
});

test('BU15 of the answers that one client asks for at once, hardly more than one is in memory beside the texts', async (t) => {
  const pass = ownTime(t);
  let [rendered, most] = [0, 0];
  function* rendering(): Walk<object> {
    const users: object[] = [];
    for (let at = 0; at < 100; at++) {
      pass(0.1);
      users.push({ id: `u${at}`, teams: Array.from({ length: 100 }, () => ({ name: 'x'.repeat(100) })) });
      yield undefined;
    }
    most = Math.max(most, ++rendered);
    return { users };
  }
  const ask = async (): Promise<void> => {
    const body = (await stepped(rendering(), ANN)) as Readonly<Record<string, unknown>>;
    await textOf({ body }, { caller: ANN, isRead: true, place: undefined });
    rendered--;
  };
  await Promise.all(Array.from({ length: 20 }, ask));
  assert.ok(most <= 2, `${most} answers at once`);
});

test('BU13 a long answer to a read is refused when others took the room meanwhile; one to a write is sent', async () => {
  const sum = { key: 'user ann', of: 'of the user ann', most: 1_000_000, kind: 'rate_limit', bytes: 1_000_000 } as const;
  const place = new AnswerPlace([{ ...sum }], undefined as never);
  const answer = { caller: ANN, place } as const;
  await assert.rejects(async () => textOf({ body: bodyOf(100_000) }, { ...answer, isRead: true }), is('rate_limit'));
  assert.ok(await textOf({ body: bodyOf(100_000) }, { ...answer, isRead: false }));
  assert.ok(place.bytes > 100_000);
});
