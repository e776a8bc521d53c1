/** SP and AP9: never more requests than the server allows. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import { Pacer, retryAfterMs } from '../../daemon/sync/pacer.ts';
import { type Reply, replyOf } from '../../daemon/sync/transport.ts';
import { seeded } from '../support/random.ts';
import { FakeClock } from '../support/sync/fake-server.ts';

const signal = new AbortController().signal;

function answer(headers: Record<string, string>, status = 201): Reply {
  return replyOf(status, '', (name) => headers[name]);
}

interface ServerOptions {
  readonly perMinute: number;
  readonly latencyMs: number;
  readonly perSecond?: number;
  /** How far the server's clock is before ours, and whether it tells. */
  readonly aheadMs?: number;
  readonly tellsDate?: boolean;
  /** Requests of somebody else, before each of ours. */
  readonly othersEvery?: number;
}

/** Counts requests in fixed windows of a minute, as rosterd does, and refuses what is too much. */
class CountingServer {
  served = 0;
  refused = 0;
  readonly #clock: FakeClock;
  readonly #options: ServerOptions;
  #windowEndsMs = 0;
  #used = 0;
  readonly #starts: number[] = [];

  constructor(clock: FakeClock, options: ServerOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  async request(): Promise<Reply> {
    const { perMinute, latencyMs, perSecond = Number.POSITIVE_INFINITY, aheadMs = 0, tellsDate = true, othersEvery } = this.#options;
    await this.#clock.sleep(latencyMs / 2);
    const now = this.#clock.now();
    if (now >= this.#windowEndsMs) {
      this.#windowEndsMs = now + 60_000;
      this.#used = 0;
    }
    if (othersEvery !== undefined && (this.served + this.refused) % othersEvery === 0) this.#used++;
    this.#used++;
    this.#starts.push(now);
    const isBurst = this.#starts.filter((start) => start > now - 1_000).length > perSecond;
    const isTooMuch = this.#used > perMinute || isBurst;
    if (isTooMuch) this.refused++;
    else this.served++;
    const headers = {
      'x-ratelimit-limit': String(perMinute),
      'x-ratelimit-remaining': String(Math.max(0, perMinute - this.#used)),
      'x-ratelimit-reset': String(Math.ceil((this.#windowEndsMs + aheadMs) / 1_000)),
      ...(tellsDate ? { date: new Date(now + aheadMs).toUTCString() } : {}),
      ...(isTooMuch ? { 'retry-after': isBurst ? '1' : String(Math.ceil((this.#windowEndsMs - now) / 1_000)) } : {}),
    };
    await this.#clock.sleep(latencyMs / 2);
    return answer(headers, isTooMuch ? 429 : 201);
  }
}

/** Sends until `count` requests were served, `concurrency` at a time. Resolves with the minutes it took. */
async function drive(clock: FakeClock, server: CountingServer, count: number, concurrency: number): Promise<number> {
  const pacer = new Pacer(clock);
  const startedMs = clock.now();
  const worker = async () => {
    while (server.served < count) {
      assert.ok(await pacer.acquire(signal));
      pacer.release(await server.request());
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return (clock.now() - startedMs) / 60_000;
}

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

/** Counts requests in fixed windows of a minute and of a second that begin with their first request, as rosterd does. */
class WindowedServer {
  refused = 0;
  served = 0;
  readonly #clock: FakeClock;
  readonly #perMinute: number;
  #minute = { endsMs: 0, used: 0 };
  #second = { endsMs: 0, used: 0 };

  constructor(clock: FakeClock, perMinute: number) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  async request(latencyMs: number): Promise<Reply> {
    await this.#clock.sleep(latencyMs);
    const now = this.#clock.now();
    if (now >= this.#minute.endsMs) this.#minute = { endsMs: now + 60_000, used: 0 };
    if (now >= this.#second.endsMs) this.#second = { endsMs: now + 1_000, used: 0 };
    this.#minute.used++;
    this.#second.used++;
    const isTooMuch = this.#minute.used > this.#perMinute || this.#second.used > Math.max(1, Math.floor(this.#perMinute / 30));
    if (isTooMuch) this.refused++;
    else this.served++;
    const headers = {
      'x-ratelimit-limit': String(this.#perMinute),
      'x-ratelimit-remaining': String(Math.max(0, this.#perMinute - this.#minute.used)),
      'x-ratelimit-reset': String(Math.ceil(this.#minute.endsMs / 1_000)),
    };
    return answer(headers, isTooMuch ? 429 : 200);
  }
}

test('SP1 the budget of each window is used and never exceeded', async () => {
  for (const concurrency of [1, 4, 16]) {
    const clock = new FakeClock();
    const server = new CountingServer(clock, { perMinute: 30, latencyMs: 40 });
    const minutes = await drive(clock, server, 100, concurrency);
    assert.equal(server.refused, 0, `${concurrency} at a time`);
    assert.ok(minutes > 3 && minutes < 3.2, `${minutes} minutes`);
  }
});

test('SP2 nothing is sent while nothing remains, until the reset', async () => {
  const clock = new FakeClock();
  const pacer = new Pacer(clock);
  assert.ok(await pacer.acquire(signal));
  const reset = Math.ceil(clock.now() / 1_000) + 42;
  pacer.release(answer({ 'x-ratelimit-limit': '300', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) }));
  assert.ok(await pacer.acquire(signal));
  assert.ok(clock.now() >= reset * 1_000, `${clock.now() - reset * 1_000} ms early`);
});

test('SP3 requests that are out count as used until they are answered', async () => {
  const clock = new FakeClock();
  const pacer = new Pacer(clock);
  const told = (remaining: number) =>
    answer({
      'x-ratelimit-limit': '10',
      'x-ratelimit-remaining': String(remaining),
      'x-ratelimit-reset': String(clock.now() / 1_000 + 60),
    });
  const startedMs = clock.now();
  await pacer.acquire(signal);
  pacer.release(told(2));
  await pacer.acquire(signal);
  await pacer.acquire(signal);
  // Two remain and two are out: the third waits for an answer, not for the reset.
  let isThird = false;
  const third = pacer.acquire(signal).then(() => {
    isThird = true;
  });
  await Promise.resolve();
  assert.equal(isThird, false);
  pacer.release(told(2));
  await third;
  assert.equal(clock.now(), startedMs);
  // An answer that was overtaken does not give back what was used since.
  pacer.release(told(0));
  pacer.release(told(1));
  await pacer.acquire(signal);
  assert.ok(clock.now() >= startedMs + 60_000);
});

test('SP4 a clock that is wrong by minutes does not matter when the server tells the time', async () => {
  for (const aheadMs of [-7 * 60_000, 7 * 60_000]) {
    const clock = new FakeClock();
    const server = new CountingServer(clock, { perMinute: 10, latencyMs: 10, aheadMs });
    const minutes = await drive(clock, server, 25, 4);
    assert.equal(server.refused, 0);
    assert.ok(minutes < 2.2, `${minutes} minutes`);
  }
});

test('SP5 a server whose clock is wrong and untold cannot stop it for long', async () => {
  const clock = new FakeClock();
  const server = new CountingServer(clock, { perMinute: 10, latencyMs: 10, aheadMs: 24 * 3_600_000, tellsDate: false });
  assert.ok((await drive(clock, server, 25, 4)) < 11);
});

test('SP6 a limit per second is found out and then kept', async () => {
  const clock = new FakeClock();
  const server = new CountingServer(clock, { perMinute: 300, perSecond: 10, latencyMs: 4 });
  await drive(clock, server, 200, 4);
  assert.ok(server.refused <= 4, `${server.refused} refused`);
});

test('SP7 others that use the same budget cost no more than a few refusals', async () => {
  const clock = new FakeClock();
  const server = new CountingServer(clock, { perMinute: 30, latencyMs: 20, othersEvery: 2 });
  await drive(clock, server, 60, 4);
  assert.ok(server.refused <= 8, `${server.refused} refused`);
});

test('SP8 a refusal holds everybody back as long as it asks for', async () => {
  const clock = new FakeClock();
  const pacer = new Pacer(clock);
  const startedMs = clock.now();
  await pacer.acquire(signal);
  pacer.release(answer({ 'retry-after': '17' }, 429));
  await Promise.all([pacer.acquire(signal), pacer.acquire(signal)]);
  assert.equal(clock.now() - startedMs, 17_000);
});

test('SP9 waiting ends at once when the run stops', async () => {
  const clock = new FakeClock();
  const pacer = new Pacer(clock);
  const stop = new AbortController();
  await pacer.acquire(stop.signal);
  pacer.release(answer({ 'retry-after': '60' }, 429));
  const startedMs = clock.now();
  const waiting = pacer.acquire(stop.signal);
  stop.abort();
  assert.equal(await waiting, false);
  assert.equal(clock.now(), startedMs);
});

test('SP10 without headers there is no limit', async () => {
  const clock = new FakeClock();
  const pacer = new Pacer(clock);
  for (let i = 0; i < 1_000; i++) {
    await pacer.acquire(signal);
    pacer.release(i % 2 === 0 ? answer({ 'x-ratelimit-remaining': 'soon', 'x-ratelimit-limit': '-1' }) : undefined);
  }
  assert.deepEqual(clock.slept, []);
});

test('SP11 Retry-After is read as seconds or as a date', () => {
  const now = Date.parse('2026-05-17T12:00:00Z');
  assert.equal(retryAfterMs(answer({}), now), undefined);
  assert.equal(retryAfterMs(answer({ 'retry-after': '5' }), now), 5_000);
  assert.equal(retryAfterMs(answer({ 'retry-after': 'Sun, 17 May 2026 12:00:30 GMT' }), now), 30_000);
  assert.equal(retryAfterMs(answer({ 'retry-after': 'Sun, 17 May 2026 11:00:00 GMT' }), now), 0);
  assert.equal(retryAfterMs(answer({ 'retry-after': 'later' }), now), undefined);
});

test('AP9 a careful pacer is never refused, from the first request on, and uses what it may', async () => {
  for (const perMinute of [6, 60, 300, 1_000]) {
    const clock = new FakeClock();
    const server = new WindowedServer(clock, perMinute);
    const random = seeded(perMinute);
    const pacer = new Pacer(clock, { isCareful: true });
    const startMs = clock.now();
    // Three minutes' worth, or enough of it to tell.
    const requests = Math.min(perMinute * 3, 1_100);
    const worker = async () => {
      while (server.served + server.refused < requests) {
        assert.ok(await pacer.acquire(never));
        pacer.release(await server.request(1 + random() * 60));
      }
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    assert.equal(server.refused, 0, `${perMinute} a minute`);
    const minutes = (clock.now() - startMs) / 60_000;
    assert.ok(minutes < requests / perMinute + 0.5, `${requests} at ${perMinute} a minute took ${minutes} minutes`);
  }
});

test('AP9 a pacer that is told what is left begins with that', async () => {
  const clock = new FakeClock();
  const pacer = new Pacer(clock, { isCareful: true });
  const reset = clock.now() / 1_000 + 30;
  pacer.begin({ limit: 300, remaining: 0, reset }, answer({}, 200));
  assert.ok(await pacer.acquire(never));
  assert.ok(clock.now() >= reset * 1_000);
});

test('SP10 headers that hold no whole numbers, or not all of them, are no limit', async () => {
  const rate = (limit: string | undefined, remaining: string | undefined, reset: string | undefined): Record<string, string> => ({
    ...(limit === undefined ? {} : { 'x-ratelimit-limit': limit }),
    ...(remaining === undefined ? {} : { 'x-ratelimit-remaining': remaining }),
    ...(reset === undefined ? {} : { 'x-ratelimit-reset': reset }),
  });
  const clock = new FakeClock();
  const later = String(Math.floor(clock.now() / 1_000) + 30);
  for (const [headers, waits] of [
    [rate('60', '0', later), true],
    [rate(undefined, '0', later), false],
    [rate('60', undefined, later), false],
    [rate('60', '0', undefined), false],
    [rate('60', 'none', later), false],
    [rate('60', '-1', later), false],
    [rate('60', '0', 'soon'), false],
  ] as const) {
    const pacer = new Pacer(clock);
    assert.equal(await pacer.acquire(signal), true);
    pacer.release(answer(headers));
    const startMs = clock.now();
    assert.equal(await pacer.acquire(signal), true);
    assert.equal(clock.now() > startMs, waits, JSON.stringify(headers));
  }
});

test('SP3 an answer about an earlier window says nothing of the present one', async () => {
  const clock = new FakeClock();
  const pacer = new Pacer(clock);
  const now = Math.floor(clock.now() / 1_000);
  const about = (reset: number, remaining: number): Reply =>
    answer({ 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': `${remaining}`, 'x-ratelimit-reset': `${reset}` });
  for (let n = 0; n < 3; n++) assert.equal(await pacer.acquire(signal), true);
  pacer.release(about(now + 60, 50));
  pacer.release(about(now + 10, 0));
  const startMs = clock.now();
  assert.equal(await pacer.acquire(signal), true);
  assert.equal(clock.now(), startMs, 'the budget of the present window counts');
  // Rounded otherwise, it is the same window.
  pacer.release(about(now + 59, 0));
  assert.equal(await pacer.acquire(signal), true);
  assert.ok(clock.now() > startMs);
});

const limited = (limit: number, remaining: number, reset: number, more: Record<string, string> = {}, status = 200): Reply =>
  answer({ 'x-ratelimit-limit': `${limit}`, 'x-ratelimit-remaining': `${remaining}`, 'x-ratelimit-reset': `${reset}`, ...more }, status);

/** How long the next request waits. */
async function waited(pacer: Pacer, clock: FakeClock): Promise<number> {
  const startMs = clock.now();
  assert.equal(await pacer.acquire(never), true);
  return clock.now() - startMs;
}

/** A pacer that had this answer to its first request. */
async function taught(reply: Reply, isCareful = false, clock = new FakeClock()): Promise<{ pacer: Pacer; clock: FakeClock }> {
  const pacer = new Pacer(clock, { isCareful });
  assert.equal(await waited(pacer, clock), 0);
  pacer.release(reply);
  return { pacer, clock };
}

const NOW_S = new FakeClock().now() / 1_000;

test('SP2 the wait ends a tenth of a second after the reset, and at the latest after five minutes', async () => {
  for (const [reset, ms] of [
    [NOW_S + 30, 30_100],
    [NOW_S - 30, 100],
    [NOW_S + 300, 300_100],
    [NOW_S + 3_000, 300_100],
  ] as const) {
    const { pacer, clock } = await taught(limited(60, 0, reset));
    assert.equal(await waited(pacer, clock), ms);
  }
});

test('SP4 the reset is counted from the time of the server, where it tells it', async () => {
  const date = new Date((NOW_S - 600) * 1_000).toUTCString();
  const { pacer, clock } = await taught(limited(60, 0, NOW_S - 590, { date }));
  assert.equal(await waited(pacer, clock), 10_100);
});

test('SP1 after the reset the budget is full again, one request at least, until an answer says more', async () => {
  for (const [limit, free] of [
    [3, 3],
    [1, 1],
    [0, 1],
  ] as const) {
    const { pacer, clock } = await taught(limited(limit, 0, NOW_S + 10));
    const waits = [await waited(pacer, clock)];
    while (waits.length < free) waits.push(await waited(pacer, clock));
    assert.deepEqual(waits, [10_100, ...Array.from({ length: free - 1 }, () => 0)]);
    const next = waited(pacer, clock);
    pacer.release(limited(60, 50, NOW_S + 70));
    assert.equal(await next, 0, 'an answer says that there is more');
  }
});

test('SP3 a reset that is given two seconds later is that of the same window, three seconds later that of the next', async () => {
  for (const [later, waits] of [
    [0, true],
    [2, true],
    [-2, true],
    [3, false],
  ] as const) {
    const { pacer, clock } = await taught(limited(60, 1, NOW_S + 30));
    assert.equal(await waited(pacer, clock), 0);
    pacer.release(limited(60, 40, NOW_S + 30 + later));
    assert.equal(await waited(pacer, clock), 0);
    assert.equal((await waited(pacer, clock)) > 0, waits, `${later}`);
  }
});

test('SP8 a refusal holds everybody back for as long as it asks; without a time, nothing is forgotten', async () => {
  const { pacer, clock } = await taught(answer({ 'retry-after': '7' }, 429));
  assert.equal(await waited(pacer, clock), 7_000);
  pacer.release(answer({ 'retry-after': '5' }, 429));
  await waited(pacer, clock);
  pacer.release(answer({ 'retry-after': '9' }, 503));
  assert.equal(await waited(pacer, clock), 0, 'only of 429 is it one for everybody');
  const twice = await taught(answer({ 'retry-after': '7' }, 429));
  const open = new Pacer(twice.clock);
  for (let n = 0; n < 3; n++) assert.equal(await waited(open, twice.clock), 0);
  open.release(answer({ 'retry-after': '7' }, 429));
  open.release(answer({}, 429));
  open.release(answer({ 'retry-after': '2' }, 429));
  assert.equal(await waited(open, twice.clock), 7_000);
});

test('SP6 a refusal although the minute has room shows a limit per second, a thirtieth of it', async () => {
  for (const [limit, ms] of [
    [60, 500],
    [300, 100],
    [70, 429],
  ] as const) {
    const { pacer, clock } = await taught(limited(limit, limit - 1, NOW_S + 50));
    assert.equal(await waited(pacer, clock), 0);
    pacer.release(limited(limit, limit - 2, NOW_S + 50, {}, 429));
    const waits = [await waited(pacer, clock), await waited(pacer, clock), await waited(pacer, clock)];
    assert.deepEqual(waits, [0, ms, ms]);
  }
  const { pacer, clock } = await taught(limited(60, 0, NOW_S + 10));
  await waited(pacer, clock);
  pacer.release(limited(60, 0, NOW_S + 10, {}, 429));
  assert.equal(await waited(pacer, clock), 0, 'a minute that had no room shows nothing');
  assert.equal(await waited(pacer, clock), 0);
});

test('AP9 a careful pacer keeps two thirds of a thirtieth of the limit from the first answer on', async () => {
  for (const [limit, ms] of [
    [300, 150],
    [60, 750],
    [30, 1_500],
    [6, 1_500],
  ] as const) {
    const { pacer, clock } = await taught(limited(limit, limit - 1, NOW_S + 50), true);
    const waits = [await waited(pacer, clock), await waited(pacer, clock), await waited(pacer, clock)];
    assert.deepEqual(waits.map(Math.round), [ms, ms, ms]);
  }
  const plain = await taught(limited(300, 299, NOW_S + 50));
  assert.equal(await waited(plain.pacer, plain.clock), 0);
});

test('AP9 a careful pacer waits for its first answer before it sends the second request', async () => {
  const clock = new FakeClock();
  const pacer = new Pacer(clock, { isCareful: true });
  assert.equal(await waited(pacer, clock), 0);
  const second = pacer.acquire(never);
  let isThrough = false;
  void second.then(() => {
    isThrough = true;
  });
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isThrough, false);
  pacer.release(answer({}));
  assert.equal(await second, true);
  const lost = new Pacer(clock, { isCareful: true });
  assert.equal(await waited(lost, clock), 0);
  lost.release();
  assert.equal(await waited(lost, clock), 0, 'a lost answer keeps nobody');
});

test('AP9 a limit that somebody has used just now is kept for a second before the first request', async () => {
  const first = async (remaining: number, isCareful: boolean): Promise<number> => {
    const clock = new FakeClock();
    const pacer = new Pacer(clock, { isCareful });
    pacer.begin({ limit: 300, remaining, reset: NOW_S + 50 }, answer({}));
    return Math.round(await waited(pacer, clock));
  };
  assert.deepEqual([await first(299, true), await first(300, true), await first(299, false)], [1_000, 150, 0]);
});
