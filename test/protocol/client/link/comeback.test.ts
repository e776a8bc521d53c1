/** Which ends of a connection are final, and how long the client stays away: CL41, CL43, CL44, CL70, CL80, CL81. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RosterClientError } from '../../../../protocol/client/client-error.ts';
import { comebackMs, comesBack, elsewhereMs, movesOn } from '../../../../protocol/client/link/comeback.ts';
import { TokenKeeper } from '../../../../protocol/client/tokens/token-keeper.ts';
import { CLOSE } from '../../../../protocol/live/close-codes.ts';
import { bareLink, FakeSocket, settle, socket } from '../../../support/live/fake-socket.ts';

const cut = { code: 1006, isExpired: false, isAwaited: false, attempt: 3, nodes: 1 };

test('CL44 the list of close codes says whether to come back, whoever waits; what is not on it passes', () => {
  for (const isAwaited of [false, true]) {
    for (const { code, reconnect } of Object.values(CLOSE)) assert.equal(comesBack({ ...cut, code, isAwaited }), reconnect, `${code}`);
    assert.equal(comesBack({ ...cut, isAwaited }), !isAwaited);
  }
});

test('CL43 an expired token is a reason to come back with another, for who waits only once', () => {
  const expired = { ...cut, code: CLOSE.auth.code, isExpired: true };
  assert.deepEqual(
    [comesBack(expired), comesBack({ ...expired, isAwaited: true }), comesBack({ ...expired, isAwaited: true, attempt: 0 })],
    [true, false, true],
  );
});

test('CL41 it stays away as long as the daemon asks for, at most a minute, and up to thirty seconds more', () => {
  const waits = [undefined, 'soon', 4_000, 3_600_000].map((retryMs) => comebackMs(0, retryMs, () => 0.5));
  assert.deepEqual(waits, [250, 250, 4_250, 60_250]);
  assert.equal(
    comebackMs(40, undefined, () => 1),
    30_000,
  );
});

test('CL80 all ends but those of the client itself lead to another node, if there is one', () => {
  const stays = ['slow', 'silent', 'rate'];
  for (const [name, { code }] of Object.entries(CLOSE)) assert.equal(movesOn({ ...cut, code, nodes: 2 }), !stays.includes(name), name);
  assert.deepEqual([movesOn({ ...cut, nodes: 2 }), movesOn(cut), movesOn({ ...cut, nodes: 2, isExpired: true })], [true, false, false]);
});

test('CL80 a first connect that a caller awaits tries every node once', () => {
  const awaited = [0, 1, 2].map((attempt) => comesBack({ ...cut, isAwaited: true, attempt, nodes: 3 }));
  assert.deepEqual(awaited, [true, true, false]);
});

test('CL81 of a round over the nodes only the first attempt waits, longer from round to round', () => {
  const waits = [0, 1, 2, 3, 4, 5, 6].map((attempt) => elsewhereMs(attempt, 3, 4_000, () => 0.5));
  assert.deepEqual(waits, [250, 0, 0, 4_500, 0, 0, 5_000]);
});

test('CL70 a link that nobody waits for tries its first connection again, until the daemon refuses it for good', async () => {
  const due: (() => void)[] = [];
  const after = (_: number, work: () => void) => {
    due.push(work);
    return () => void due.splice(due.indexOf(work), 1);
  };
  const { link: patient, states } = bareLink({ isPatient: true, after });
  const opening = patient.open(new TokenKeeper(() => 'token'));
  opening.catch(() => {});
  const next = async (): Promise<void> => {
    due.shift()?.();
    await settle();
  };
  await settle();
  socket().emit('close', { code: 1006, reason: 'ECONNREFUSED' });
  assert.deepEqual(states.at(-1), { kind: 'waiting', attempt: 1, delayMs: 500, code: 1006, reason: 'ECONNREFUSED' });
  await next();
  // Nothing comes: the time to open passes.
  await next();
  assert.deepEqual(states.at(-1), { kind: 'waiting', attempt: 2, delayMs: 1_000, code: 1006, reason: 'no sign of life' });
  await next();
  socket().refuse(40, 401, 4401);
  await next();
  socket().refuse(40, 401, 4401);
  assert.equal(states.at(-1)?.kind, 'waiting', 'the next attempt comes with another token');
  await next();
  socket().refuse(17, 403, 4403);
  await assert.rejects(opening, (error) => error instanceof RosterClientError && error.code === 17);
  assert.deepEqual([states.at(-1)?.kind, FakeSocket.made.length, due.length], ['closed', 5, 0]);
});
