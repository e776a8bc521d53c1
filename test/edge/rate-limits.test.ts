import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { rateHeaders } from '../../daemon/edge/rate-headers.ts';
import { platformOf, RateLimits } from '../../daemon/edge/rate-limits.ts';
import { ROUTES } from '../../daemon/edge/routes.ts';
import { RosterError } from '../../protocol/base/errors.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import { assertRefused, FakeBackend, httpWorld, type Send, userToken } from '../support/http/fake-backend.ts';

const SERVER = { kind: 'server' } as const;

const ANN = { kind: 'user', id: 'ann' } as const;

const refusedAs = (kind: string, reason: RegExp) => (error: unknown) =>
  error instanceof RosterError && error.kind === kind && reason.test(error.message);

async function create(send: Send, ...ids: string[]): Promise<void> {
  const { status } = await send('POST', '/users', { body: { users: Object.fromEntries(ids.map((id) => [id, { id, name: id }])) } });
  assert.equal(status, 201);
}

describe('platforms', () => {
  it('RL1 the platform of a client comes from X-Stream-Client', () => {
    const names = ['stream-android-4', 'stream-swift-2', 'stream-ios', 'stream-javascript', 'react-native', 'unity-sdk', 'unreal'];
    assert.deepEqual(
      names.map((name) => platformOf(name, ANN)),
      ['android', 'ios', 'ios', 'web', 'web', 'unity', 'unity'],
    );
    assert.equal(platformOf('axios/1.0', ANN), 'web');
  });

  it('RL2 a server token is a server whatever it uses; a user token never is one', () => {
    assert.equal(platformOf('stream-javascript-node', SERVER), 'server_side');
    assert.equal(platformOf('stream-go-client-5', ANN), 'web');
    assert.equal(platformOf(undefined, ANN), 'web');
    assert.equal(platformOf('stream-go-client-5', undefined), 'server_side');
  });
});

describe('limits', () => {
  it('RL3 a limit of the table, counted down, then refused with the time to come back', async (t) => {
    t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.now() });
    const limits = new RateLimits({ mode: 'all' });
    for (let left = 5; left >= 0; left--) {
      t.mock.timers.tick(1_000);
      const verdict = await limits.take('DeleteUsers', 'server_side');
      assert.equal(verdict.limit, 6);
      assert.equal(verdict.remaining, left);
      assert.equal(verdict.retryAfterS, undefined);
    }
    t.mock.timers.tick(1_000);
    const refused = await limits.take('DeleteUsers', 'server_side');
    assert.equal(refused.limit, 6);
    assert.equal(refused.remaining, 0);
    assert.equal(refused.retryAfterS, 54);
    assert.ok(Math.abs(refused.reset - (Date.now() / 1000 + 54)) <= 1);
    t.mock.timers.tick(54_000);
    assert.equal((await limits.take('DeleteUsers', 'server_side')).remaining, 5);
  });

  it('RL4 endpoints and platforms do not share a limit', async () => {
    const limits = new RateLimits({ mode: 'all' });
    for (let i = 0; i < 7; i++) await limits.take('DeleteUsers', 'web');
    assert.equal((await limits.take('DeleteUsers', 'android')).remaining, 5);
    assert.equal((await limits.take('UpdateUsers', 'web')).remaining, 299);
  });

  it('RL5 a user has 60 requests per minute and endpoint; what is beyond does not count against everyone', async () => {
    const limits = new RateLimits({ mode: 'clients', overrides: { QueryUsers: 6_000 } });
    for (let i = 0; i < 60; i++) assert.equal((await limits.take('QueryUsers', 'web', 'ann')).retryAfterS, undefined);
    for (let i = 0; i < 100; i++) assert.notEqual((await limits.take('QueryUsers', 'web', 'ann')).retryAfterS, undefined);
    assert.equal((await limits.take('QueryUsers', 'web', 'bob')).remaining, 59);
    assert.equal((await limits.peek('QueryUsers', 'web')).remaining, 6_000 - 61);
  });

  it('RL6 modes: off limits nobody, clients only clients, all everyone', async () => {
    const isRefused = async (mode: 'off' | 'clients' | 'all', platform: 'server_side' | 'web') => {
      const limits = new RateLimits({ mode, overrides: { UpdateUsers: 2 } });
      for (let i = 0; i < 2; i++) await limits.take('UpdateUsers', platform);
      return (await limits.take('UpdateUsers', platform)).retryAfterS !== undefined;
    };
    assert.deepEqual(await Promise.all([isRefused('off', 'web'), isRefused('off', 'server_side')]), [false, false]);
    assert.deepEqual(await Promise.all([isRefused('clients', 'web'), isRefused('clients', 'server_side')]), [true, false]);
    assert.deepEqual(await Promise.all([isRefused('all', 'web'), isRefused('all', 'server_side')]), [true, true]);
  });

  it('RL7 a caller without a limit still sees a limit, and always something left of it', async () => {
    const limits = new RateLimits({ mode: 'off' });
    const verdict = await limits.take('UpdateUsers', 'server_side');
    assert.ok(verdict.limit > 100_000 && verdict.remaining === verdict.limit - 1);
  });

  it('RL8 a report names exactly the endpoints asked for, unknown ones too, and counts nothing', async () => {
    const limits = new RateLimits({ mode: 'all', overrides: { QueryUsers: 7 } });
    await limits.take('QueryUsers', 'ios');
    const report = await limits.report('ios', ['QueryUsers', 'SendMessage']);
    assert.deepEqual(Object.keys(report), ['QueryUsers', 'SendMessage']);
    assert.deepEqual([report.QueryUsers?.limit, report.QueryUsers?.remaining], [7, 6]);
    assert.ok(
      report.SendMessage !== undefined && report.SendMessage.limit > 0 && report.SendMessage.remaining === report.SendMessage.limit,
    );
    assert.ok(Object.keys(await limits.report('ios', [])).includes('DeleteUsers'));
    assert.deepEqual(await limits.report('ios', ['QueryUsers']), await limits.report('ios', ['QueryUsers']));
  });

  it('RL10 a second has a thirtieth of a minute; what is beyond is told to come back in a second and is not counted', async (t) => {
    t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.now() });
    const limits = new RateLimits({ mode: 'all', overrides: { UpdateApp: 90 } });
    for (let i = 0; i < 3; i++) assert.equal((await limits.take('UpdateApp', 'web')).limit, 90);
    const refused = await limits.take('UpdateApp', 'web');
    assert.deepEqual([refused.limit, refused.remaining, refused.retryAfterS], [3, 0, 1]);
    assert.equal((await limits.take('UpdateApp', 'ios')).retryAfterS, undefined);
    assert.equal((await limits.peek('UpdateApp', 'web')).remaining, 87);
    t.mock.timers.tick(1_000);
    assert.equal((await limits.take('UpdateApp', 'web')).remaining, 86);
    const unlimited = new RateLimits({ mode: 'clients' });
    for (let i = 0; i < 100; i++) assert.equal((await unlimited.take('DeleteUsers', 'server_side')).retryAfterS, undefined);
  });

  it('RL12 a user has one limit per endpoint, whatever its clients call themselves', async () => {
    const limits = new RateLimits({ mode: 'clients', overrides: { QueryUsers: 6_000 } });
    for (const platform of ['web', 'ios', 'android', 'unity'] as const) {
      for (let i = 0; i < 15; i++) assert.equal((await limits.take('QueryUsers', platform, 'ann')).retryAfterS, undefined);
    }
    for (const platform of ['web', 'ios'] as const)
      assert.notEqual((await limits.take('QueryUsers', platform, 'ann')).retryAfterS, undefined);
  });

  it('RL13 subscribing has a limit of its own, high enough to page through a large directory', async () => {
    const limits = new RateLimits({ mode: 'clients' });
    for (let i = 0; i < 600; i++) assert.equal((await limits.take('Subscribe', 'web', 'ann')).retryAfterS, undefined);
    assert.notEqual((await limits.take('Subscribe', 'web', 'ann')).retryAfterS, undefined);
    assert.equal((await limits.take('Subscribe', 'web', 'bob')).retryAfterS, undefined);
  });

  it('RL14 the work of one query is bounded, and that of one user in a minute; servers are trusted', () => {
    const limits = new RateLimits({ mode: 'clients' });
    assert.equal(limits.budgetOf({ kind: 'server' }), undefined);
    const spend = (caller: typeof ANN | { kind: 'user'; id: string }, units: number): void => limits.budgetOf(caller)?.spend(units);
    assert.throws(() => spend(ANN, LIMITS.queryUnits + 1), refusedAs('input', /200000000 comparisons/));
    for (let spent = LIMITS.queryUnits; spent < LIMITS.userUnitsPerMinute; spent += LIMITS.queryUnits) spend(ANN, LIMITS.queryUnits);
    assert.throws(() => spend(ANN, 0), refusedAs('rate_limit', /1000000000 comparisons in a minute; try again in \d+ s/));
    spend({ kind: 'user', id: 'bob' }, 1);
    const unlimited = new RateLimits({ mode: 'off' });
    for (let n = 0; n < 20; n++) unlimited.budgetOf(ANN)?.spend(LIMITS.queryUnits);
  });

  it('RL14 PV1 whether work is refused does not depend on the parts in which it is counted', () => {
    const refusals = (parts: readonly number[], queries: number): string[] => {
      const limits = new RateLimits({ mode: 'clients', queryUnits: 150_000_000 });
      return Array.from({ length: queries }, () => {
        const budget = limits.budgetOf(ANN);
        try {
          budget?.spend(0);
          for (const part of parts) budget?.spend(part);
          return 'done';
        } catch (error) {
          return error instanceof RosterError ? error.kind : String(error);
        }
      });
    };
    for (const units of [100_000_000, 125_000_000, 149_000_000, 200_000_000]) {
      const whole = refusals([units], 20);
      for (const parts of [2, 1_000, 5_000])
        assert.deepEqual(refusals(Array(parts).fill(units / parts), 20), whole, `${units} in ${parts}`);
      assert.ok(whole.includes('rate_limit'));
    }
  });

  it('BU12 work on what a caller may not see is never refused; beyond the bound it is slowed down', () => {
    const budget = new RateLimits({ mode: 'clients' }).budgetOf(ANN);
    assert.ok(budget !== undefined);
    budget.note(LIMITS.userUnitsPerMinute);
    assert.equal(budget.isSlowed(), false);
    budget.note(1);
    assert.equal(budget.isSlowed(), true);
    budget.spend(LIMITS.queryUnits);
  });

  it('RL15 guests from one address are counted, but not those behind a proxy on this machine', async () => {
    const limits = new RateLimits({ mode: 'clients', guestsPerAddress: 2 });
    const take = (address: string): Promise<void> => limits.takeGuest(address);
    await take('192.0.2.1');
    await take('192.0.2.1');
    await assert.rejects(take('192.0.2.1'), /2 guests were created from 192\.0\.2\.1 within a day \(guests_per_ip_max\)/);
    await take('192.0.2.2');
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) for (let n = 0; n < 5; n++) await take(address);
    const unlimited = new RateLimits({ mode: 'clients', guestsPerAddress: 0 });
    for (let n = 0; n < 5; n++) await unlimited.takeGuest('192.0.2.1');
  });

  it('RL15 addresses of one /64 are one', async () => {
    const limits = new RateLimits({ mode: 'clients', guestsPerAddress: 2 });
    for (const host of ['1', '2']) await limits.takeGuest(`2001:db8::${host}`);
    await assert.rejects(limits.takeGuest('2001:db8::3'), /from 2001:db8:0:0::\/64 within a day/);
    await limits.takeGuest('2001:db8:0:1::1');
  });

  it('RL16 strangers share limits apart from those of users, whatever they call themselves, and cannot empty theirs', async (t) => {
    t.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.now() });
    const limits = new RateLimits({ mode: 'clients', overrides: { Connect: 300 } });
    const loopback = { network: undefined };
    const isRefused = async (...call: Parameters<typeof limits.take>): Promise<boolean> =>
      (await limits.take(...call)).retryAfterS !== undefined;
    for (let n = 0; n < 600; n++) {
      if (n % 10 === 0) t.mock.timers.tick(1_000);
      await limits.take('Connect', n % 2 === 0 ? 'web' : 'ios', undefined, loopback);
    }
    assert.ok(await isRefused('Connect', 'android', undefined, loopback));
    assert.ok(await isRefused('Connect', 'web', 'guest', loopback), 'a guest shares them');
    assert.equal((await limits.take('Connect', 'web', 'ann')).remaining, 59);
    assert.equal((await limits.peek('Connect', 'web')).remaining, 299);
    assert.equal((await limits.peek('Connect', 'ios')).remaining, 300);
  });

  it('RL17 a network of strangers has a limit of its own, and beyond it takes nothing of what they share', async () => {
    const limits = new RateLimits({ mode: 'clients' });
    const from = (endpoint: string, network: string, userId?: string) => limits.take(endpoint, 'web', userId, { network });
    for (let n = 0; n < 600; n++) assert.equal((await from('Subscribe', 'a')).retryAfterS, undefined);
    for (let n = 0; n < 100; n++) assert.notEqual((await from('Subscribe', 'a')).retryAfterS, undefined);
    assert.notEqual((await from('Subscribe', 'a', 'guest')).retryAfterS, undefined, 'a guest of that network has no more of it');
    assert.equal((await from('Subscribe', 'b')).remaining, 599);
    for (let n = 0; n < 30; n++) await from('CreateGuest', 'c');
    assert.equal((await from('CreateGuest', 'c')).remaining, 29);
    assert.equal((await from('QueryUsers', 'd', 'guest')).remaining, 59, 'it has its own as well');
    const off = new RateLimits({ mode: 'off' });
    for (let n = 0; n < 700; n++) assert.equal((await off.take('Subscribe', 'web', undefined, { network: 'a' })).retryAfterS, undefined);
  });

  it('RL17 behind a proxy, where guests_per_ip_max is 0, networks are not told apart', () => {
    const of = (guestsPerAddress: number) => {
      const limits = new RateLimits({ mode: 'clients', guestsPerAddress });
      return limits.strangerOf({ kind: 'anonymous' }, '192.0.2.1', new FakeBackend().directory)?.network;
    };
    assert.deepEqual([of(1), of(0)], ['192.0.2.1', undefined]);
  });

  it('RL14 the work of guests is counted by their network', () => {
    const limits = new RateLimits({ mode: 'clients' });
    const spend = (id: string, network: string | undefined): void =>
      limits.budgetOf({ kind: 'user', id }, { network })?.spend(LIMITS.queryUnits);
    for (let n = 0; n < LIMITS.userUnitsPerMinute / LIMITS.queryUnits; n++) spend(`g${n}`, 'a');
    assert.throws(() => spend('g', 'a'), /comparisons in a minute/);
    spend('g', 'b');
    for (let n = 0; n < 20; n++) spend(`g${n}`, undefined);
  });

  it('RL18 each of several nodes allows its share, rounded up, and shows it; it changes with their number', async () => {
    let nodes = 4;
    const limits = new RateLimits({ mode: 'clients', nodes: () => nodes, overrides: { DeleteUsers: 6, QueryUsers: 3_000 } });
    const first = await limits.take('DeleteUsers', 'web');
    assert.deepEqual([first.limit, first.remaining, (await limits.peek('DeleteUsers', 'web')).remaining], [2, 1, 1]);
    assert.equal((await limits.report('ios', ['DeleteUsers'])).DeleteUsers?.limit, 2);
    assert.deepEqual(Object.values(rateHeaders(first)).slice(0, 2), ['2', '1']);
    const burst = await Promise.all(Array.from({ length: 40 }, () => limits.take('QueryUsers', 'ios')));
    assert.equal(burst.filter(({ retryAfterS }) => retryAfterS === undefined).length, 25, 'a quarter of the 100 of a second');
    const allowed = async (): Promise<boolean> => (await limits.take('QueryUsers', 'web', 'ann')).retryAfterS === undefined;
    for (let n = 0; n < 15; n++) assert.ok(await allowed());
    assert.ok(!(await allowed()), 'a user has a quarter of 60');
    nodes = 3;
    for (let n = 0; n < 4; n++) assert.ok(await allowed(), 'the sixteen before count');
    assert.ok(!(await allowed()));
    nodes = 1_000;
    assert.deepEqual([(await limits.take('Ban', 'web')).limit, (await limits.take('Ban', 'web')).retryAfterS === undefined], [1, false]);
    assert.equal((await limits.take('Ban', 'server_side')).limit, 1_000_000, 'a caller without a limit has no share');
  });

  it('RL18 guests of one address, and the work of one caller, are shared, too; every query that may be made can be', async () => {
    let nodes = 2;
    const limits = new RateLimits({ mode: 'clients', guestsPerAddress: 3, nodes: () => nodes });
    for (let n = 0; n < 2; n++) await limits.takeGuest('192.0.2.1');
    await assert.rejects(limits.takeGuest('192.0.2.1'), /2 guests were created/);
    const half = LIMITS.userUnitsPerMinute / 2;
    for (let spent = 0; spent < half; spent += LIMITS.queryUnits) limits.budgetOf(ANN)?.spend(Math.min(LIMITS.queryUnits, half - spent));
    assert.throws(() => limits.budgetOf(ANN)?.spend(0), refusedAs('rate_limit', /500000000 comparisons in a minute/));
    const unseen = limits.budgetOf(ANN);
    unseen?.note(half + 1);
    assert.equal(unseen?.isSlowed(), true);
    nodes = 1_000;
    limits.budgetOf({ kind: 'user', id: 'bob' })?.spend(LIMITS.queryUnits);
  });

  it('RL11 the published limits, and one for every endpoint there is', async () => {
    const limits = new RateLimits({ mode: 'all' });
    const report = await limits.report('server_side', []);
    const expected = { Connect: 10_000, QueryUsers: 1_000, CreateGuest: 1_000, Ban: 300, Unflag: 300, ListDevices: 60, DeleteUsers: 6 };
    for (const [name, limit] of Object.entries(expected)) assert.equal(report[name]?.limit, limit, name);
    // Stand-ins and documents of our own are not worth a limit of their own.
    const listed = ROUTES.filter(
      ({ isStub, access, dialect }) => isStub !== true && access !== 'open' && access !== 'signed' && dialect !== 'feeds',
    );
    const missing = listed.map(({ operation }) => operation).filter((operation) => report[operation] === undefined);
    assert.deepEqual([...new Set(missing)], []);
    assert.ok(listed.length > 20);
  });

  it('RL9 headers', () => {
    assert.deepEqual(rateHeaders({ limit: 6, remaining: 0, reset: 99, retryAfterS: 3 }), {
      'X-RateLimit-Limit': '6',
      'X-RateLimit-Remaining': '0',
      'X-RateLimit-Reset': '99',
      'Retry-After': '3',
    });
    assert.equal('Retry-After' in rateHeaders({ limit: 6, remaining: 1, reset: 99 }), false);
  });
});

test('HT41 GET /rate_limits: the platforms and endpoints asked for', async () => {
  const { send } = httpWorld();
  for (const path of ['/rate_limits', '/api/v2/rate_limits']) {
    const { body } = await send('GET', path, {
      query: { server_side: 'true', android: 'true', ios: '', endpoints: 'GetRateLimits,SendMessage' },
    });
    assert.deepEqual(Object.keys(body), ['server_side', 'android', 'duration']);
    assert.deepEqual(Object.keys(body.android), ['GetRateLimits', 'SendMessage']);
    assert.ok(body.server_side.GetRateLimits.remaining < body.server_side.GetRateLimits.limit);
    assert.equal(body.android.GetRateLimits.remaining, body.android.GetRateLimits.limit);
    assert.ok(body.android.SendMessage.limit > 0);
  }
  const all = await send('GET', '/rate_limits');
  assert.deepEqual(Object.keys(all.body), ['server_side', 'android', 'ios', 'web', 'unity', 'duration']);
  assertRefused(await send('GET', '/rate_limits', { query: { endpoints: '__proto__' } }), 400, 4, 'endpoints');
});

test('HT42 a client over its limit gets 429, code 9, Retry-After; nothing is applied', async () => {
  const { send, backend } = httpWorld({ rateLimits: { mode: 'clients', overrides: { UpdateUsersPartial: 6_000 } } });
  await create(send, 'ann');
  const write = (i: number) => send('PATCH', '/users', { token: userToken('ann'), body: { users: [{ id: 'ann', set: { i } }] } });
  for (let i = 0; i < 60; i++) assert.equal((await write(i)).status, 200);
  const refused = await write(60);
  assertRefused(refused, 429, 9);
  assert.ok(Number(refused.headers['retry-after']) > 0);
  assert.equal(refused.headers['x-ratelimit-remaining'], '0');
  assert.deepEqual(backend.directory.user('ann')?.custom, { i: 59 });
});

test('HT43 servers are limited too where the operator says so', async () => {
  const { send } = httpWorld({ rateLimits: { mode: 'all', overrides: { GetApp: 60 } } });
  for (let i = 0; i < 2; i++) assert.equal((await send('GET', '/app')).status, 200);
  assertRefused(await send('GET', '/app'), 429, 9);
});
