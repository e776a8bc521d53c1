/** The registry of live sessions on sessions and a clock of the test's own: rules SR1–SR5. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type LiveSession, SessionRegistry } from '../../../../daemon/edge/live/session/registry.ts';
import { RosterError } from '../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import type { CloseReason } from '../../../../protocol/live/close-codes.ts';

class FakeSession implements LiveSession {
  readonly connectionId: string;
  readonly userId: string | undefined;
  tokenExp: number | undefined;
  bytesRead = 0;
  queuedBytes = 0;
  beats = 0;
  readonly told: string[] = [];
  readonly registry: SessionRegistry;

  constructor(registry: SessionRegistry, connectionId: string, userId?: string, tokenExp?: number) {
    this.registry = registry;
    this.connectionId = connectionId;
    this.userId = userId;
    this.tokenExp = tokenExp;
    registry.add(this);
  }

  heartbeat(): void {
    this.beats++;
  }

  tokenExpiring(): void {
    this.told.push('expiring');
  }

  watch(ids: readonly string[]): void {
    this.told.push(`watch ${ids.join()}`);
  }

  readonly trace = undefined;

  view() {
    return { transport: 'live', address: null, subscriptions: 0, sentSeq: null, consumer: null } as const;
  }

  sightChanged(): void {
    this.told.push('sight');
  }

  recheck(): void {
    this.told.push('recheck');
  }

  end(error: RosterError, reason: CloseReason): void {
    this.told.push(`${error.kind} ${reason}`);
    this.registry.remove(this);
  }

  close(reason: CloseReason): void {
    this.told.push(reason);
    this.registry.remove(this);
  }
}

/** A started registry and a clock that passes in steps of a second. */
function start(t: TestContext): { registry: SessionRegistry; pass: (seconds: number, each?: () => void) => void } {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'], now: 1_000_000 });
  const registry = new SessionRegistry({ handedSeq: () => 0, nowMs: Date.now, app: { enforce_unique_usernames: 'no' } });
  registry.start();
  t.after(() => registry.stop());
  const pass = (seconds: number, each: () => void = () => {}): void => {
    for (let second = 0; second < seconds; second++) {
      each();
      t.mock.timers.tick(1_000);
    }
  };
  return { registry, pass };
}

test('SR1 every session gets a heartbeat per interval, and not all in the same instant', (t) => {
  const { registry, pass } = start(t);
  const sessions = Array.from({ length: 50 }, (_, n) => new FakeSession(registry, `c${n}`));
  const beatsPerSecond: number[] = [];
  const beats = () => sessions.reduce((sum, session) => sum + session.beats, 0);
  for (let second = 0; second < LIMITS.heartbeatMs / 1000; second++) {
    const before = beats();
    pass(1);
    beatsPerSecond.push(beats() - before);
  }
  assert.deepEqual(new Set(sessions.map(({ beats: count }) => count)), new Set([1]));
  assert.equal(Math.max(...beatsPerSecond), 2);
});

test('SR2 a peer without a sign of life is closed; any byte is one', (t) => {
  const { registry, pass } = start(t);
  const silent = new FakeSession(registry, 'silent');
  // Its connect came before it fell silent.
  silent.bytesRead = 100;
  const busy = new FakeSession(registry, 'busy');
  pass((4 * LIMITS.heartbeatMs) / 1000, () => {
    busy.bytesRead++;
  });
  assert.deepEqual(silent.told, ['silent']);
  assert.equal(silent.beats, 2, 'it left two heartbeats unanswered, and got no third');
  assert.deepEqual(busy.told, []);
  assert.equal(registry.size, 1);
});

test('SR3 the end of a token is announced once, and ends the session; a new token postpones it', (t) => {
  const { registry, pass } = start(t);
  const nowS = Date.now() / 1000;
  const session = new FakeSession(registry, 'c', 'ann', nowS + 100);
  const alive = () => {
    session.bytesRead++;
  };
  pass(38, alive);
  assert.deepEqual(session.told, []);
  pass(10, alive);
  assert.deepEqual(session.told, ['expiring']);
  session.tokenExp = nowS + 200;
  registry.tokenChanged(session);
  pass(60, alive);
  assert.deepEqual(session.told, ['expiring'], 'the old end has passed');
  pass(100, alive);
  assert.deepEqual(session.told, ['expiring', 'expiring', 'token_expired auth']);
});

test('SR4 above the limit the oldest sockets of a user go, and nobody else’s', (t) => {
  const { registry } = start(t);
  const own = Array.from({ length: 5 }, (_, n) => new FakeSession(registry, `a${n}`, 'ann'));
  const other = new FakeSession(registry, 'b', 'bob');
  registry.closeOldest('ann', 3);
  assert.deepEqual(
    own.map(({ told }) => told),
    [['replaced'], ['replaced'], [], [], []],
  );
  assert.deepEqual(other.told, []);
});

test('SR5 only the owner’s connection can be made to watch', (t) => {
  const { registry } = start(t);
  const session = new FakeSession(registry, 'c', 'ann');
  registry.watch('c', { kind: 'user', id: 'ann' }, ['bob']);
  registry.watch('c', { kind: 'server' }, ['carl']);
  for (const [connection, id] of [
    ['c', 'eve'],
    ['unknown', 'ann'],
  ] as const) {
    assert.throws(
      () => registry.watch(connection, { kind: 'user', id }, ['bob']),
      (error) => error instanceof RosterError && error.kind === 'input',
    );
  }
  assert.deepEqual(session.told, ['watch bob', 'watch carl']);
});

test('SR6 a stop says goodbye to everybody, also to who comes while it does', async (t) => {
  const { registry } = start(t);
  const first = new FakeSession(registry, 'first');
  await registry.drain(0);
  const late = new FakeSession(registry, 'late');
  assert.deepEqual([first.told, late.told, registry.size], [['restart'], ['restart'], 0]);
});

test('ND9 a drain that is ended in the middle leaves the other sessions open, and lets new ones in', async (t) => {
  const { registry } = start(t);
  const sessions = Array.from({ length: 4 }, (_, n) => new FakeSession(registry, `c${n}`));
  const draining = registry.drain(4_000);
  assert.deepEqual(
    sessions.map(({ told }) => told),
    [['restart'], [], [], []],
  );
  const refused = new FakeSession(registry, 'late');
  assert.deepEqual(refused.told, ['restart']);
  registry.reopen();
  t.mock.timers.tick(4_000);
  await draining;
  const welcome = new FakeSession(registry, 'later');
  assert.deepEqual([registry.size, welcome.told, sessions[1]?.told], [4, [], []]);
});
