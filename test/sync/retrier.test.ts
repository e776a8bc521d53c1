/** RN4–RN6, RN13–RN16, RN19, RN21: one request until it has a final answer. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import { Retrier, type RetrierOptions } from '../../daemon/sync/retrier.ts';
import { type Reply, replyOf, TransportError } from '../../daemon/sync/transport.ts';
import { FakeClock } from '../support/sync/fake-server.ts';

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

type Answer = Reply | Error;

const status = (code: number, retryAfter?: string): Reply =>
  replyOf(code, `answer ${code}`, (name) => (name === 'retry-after' ? retryAfter : undefined));

const NETWORK = new TransportError('ECONNRESET');
const OK = status(200);

/** Sends until one of the answers is final; the last one is repeated. */
async function sent(answers: readonly Answer[], more: Partial<RetrierOptions> & { readonly onSend?: () => void } = {}) {
  const { onSend = () => {}, ...options } = more;
  const clock = new FakeClock();
  const talk: string[] = [];
  const fatal: string[] = [];
  const released: (number | undefined)[] = [];
  let count = 0;
  const retrier = new Retrier({
    ...{ clock, random: () => 0.5, retryForMs: 3_600_000, stopping: never, leaving: never },
    onFatal: (reason) => fatal.push(reason),
    onTalk: (text) => talk.push(text),
    ...options,
  });
  const pacer = { acquire: async (signal: AbortSignal) => !signal.aborted, release: (reply?: Reply) => released.push(reply?.status) };
  const send = async (): Promise<Reply> => {
    const answer = answers[Math.min(count++, answers.length - 1)];
    onSend();
    if (answer === undefined || answer instanceof Error) throw answer;
    return answer;
  };
  const request = () => retrier.request(send, pacer as never);
  const reply = await request();
  return { reply: reply?.status, count: () => count, slept: clock.slept, talk, fatal, released, request };
}

test('RN4 what passes is tried again, every other answer is the last', async () => {
  for (const passing of [status(429), status(408), status(500), status(503), status(599), NETWORK]) {
    const { reply, count, released } = await sent([passing, passing, OK]);
    assert.deepEqual([reply, count()], [200, 3]);
    const seen = passing instanceof Error ? undefined : passing.status;
    assert.deepEqual(released, [seen, seen, 200], 'the pacer learns from every answer');
  }
  for (const final of [200, 201, 302, 400, 404, 407, 409, 412, 413, 428, 430, 499]) {
    const { reply, count, talk } = await sent([status(final), OK]);
    assert.deepEqual([reply, count(), talk], [final, 1, []]);
  }
});

test('RN5 the wait that the server asks for is kept, and up to a quarter of a second more', async () => {
  for (const [random, slept] of [
    [0, 7_000],
    [0.5, 7_125],
    [0.999, 7_249.75],
  ] as const) {
    assert.deepEqual((await sent([status(429, '7'), OK], { random: () => random })).slept, [slept]);
  }
});

test('RN6 without such a wait, pauses double from 200 ms to 20 s, any part of it', async () => {
  const full = [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 20_000, 20_000];
  for (const share of [0, 0.5, 1]) {
    const { slept } = await sent([...full.map(() => NETWORK), OK], { random: () => share });
    assert.deepEqual(
      slept,
      full.map((ms) => ms * share),
    );
  }
});

test('RN13 RN14 patience is counted from the first failure after a success; its beginning and its end are told once', async () => {
  const options = { retryForMs: 1_500, random: () => 1 };
  const through = await sent([NETWORK, NETWORK, NETWORK, OK], options);
  assert.deepEqual([through.reply, through.slept, through.fatal], [200, [200, 400, 800], []]);
  assert.deepEqual(through.talk, ['the daemon does not take users (ECONNRESET); trying again for up to 2 s', 'it goes on']);
  assert.equal(await through.request().then((reply) => reply?.status), 200);
  assert.equal(through.talk.length, 2, 'nothing is told while all is well');
  const given = await sent([NETWORK], options);
  assert.equal(given.reply, undefined);
  assert.deepEqual(given.slept, [200, 400, 800]);
  assert.deepEqual(given.fatal, ['no batch got through for 1 s: ECONNRESET']);
});

test('RN14 a wait may end exactly with the patience, and no later', async () => {
  assert.equal((await sent([NETWORK, OK], { retryForMs: 200, random: () => 1 })).reply, 200);
  assert.equal((await sent([NETWORK, OK], { retryForMs: 199, random: () => 1 })).reply, undefined);
});

test('RN15 RN16 a wait longer than the patience is not begun, and without patience nothing is tried again or announced', async () => {
  const long = await sent([status(503, '60'), OK], { retryForMs: 59_999 });
  assert.deepEqual([long.count(), long.slept, long.fatal], [1, [], ['no batch got through for 0 ms: status 503, answer 503']]);
  assert.equal((await sent([NETWORK], { retryForMs: 1 })).talk.length, 1);
  const none = await sent([NETWORK, OK], { retryForMs: 0 });
  assert.deepEqual([none.count(), none.talk, none.fatal], [1, [], ['no batch got through for 0 ms: ECONNRESET']]);
});

test('RN19 after a stop nothing is sent, nothing is waited for, and nobody is told that it failed', async () => {
  const stop = new AbortController();
  const during = await sent([NETWORK, OK], { stopping: stop.signal, onSend: () => stop.abort() });
  assert.deepEqual([during.reply, during.count(), during.slept, during.talk, during.fatal], [undefined, 1, [], [], []]);
  const before = await sent([OK], { stopping: stop.signal });
  assert.deepEqual([before.reply, before.count()], [undefined, 0]);
});

test('RN21 a request that is dropped is no failure; any other error is a mistake of the program', async () => {
  const leave = new AbortController();
  const onSend = (): void => leave.abort();
  const dropped = await sent([new Error('aborted')], { leaving: leave.signal, stopping: leave.signal, onSend });
  assert.deepEqual([dropped.reply, dropped.fatal], [undefined, []]);
  await assert.rejects(sent([new RangeError('a mistake')]), /a mistake/);
});

test('RN13 a long answer is told by its beginning', async () => {
  const { fatal } = await sent([replyOf(500, 'x'.repeat(300))], { retryForMs: 0 });
  assert.equal(fatal.join(), `no batch got through for 0 ms: status 500, ${'x'.repeat(200)}`);
});
