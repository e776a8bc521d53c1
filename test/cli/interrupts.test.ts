/** FM4: what counts as an interrupt, without a real process. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ECHO_MS, LOOK_MS, onInterrupt } from '../../daemon/cli/interrupts.ts';

/** A process with a parent and a clock, started by this script of npm (by none when absent). */
function start(t: TestContext, script?: string) {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const handlers = new Map<string, () => void>();
  const state = { interrupts: 0, parent: 7, nowMs: 1_000 };
  const undo = onInterrupt(
    () => {
      state.interrupts++;
    },
    {
      env: script === undefined ? {} : { npm_lifecycle_script: script },
      parent: () => state.parent,
      nowMs: () => state.nowMs,
      on: (signal, handler) => void handlers.set(signal, handler),
      off: (signal) => void handlers.delete(signal),
    },
  );
  const send = (signal: string, afterMs: number): void => {
    state.nowMs += afterMs;
    handlers.get(signal)?.();
  };
  const orphan = (): void => {
    state.parent = 1;
    t.mock.timers.tick(LOOK_MS);
  };
  return { state, send, orphan, undo, isListening: () => handlers.size > 0 };
}

test('FM4 a signal and its echo are one interrupt, a later one is another', (t) => {
  const { state, send } = start(t);
  send('SIGINT', 0);
  send('SIGINT', 2);
  send('SIGTERM', ECHO_MS - 1);
  assert.equal(state.interrupts, 1);
  send('SIGINT', ECHO_MS);
  assert.equal(state.interrupts, 2);
  send('SIGHUP', ECHO_MS);
  assert.equal(state.interrupts, 3);
});

test('FM4 the end of the npm that started the command is an interrupt, once', (t) => {
  for (const script of [
    "'rosterd' serve --listen 127.0.0.1:0",
    'rosterd',
    'rosterd watch',
    'exec node --max-semi-space-size=32 daemon/rosterd.js serve',
  ]) {
    const { state, orphan, undo } = start(t, script);
    t.mock.timers.tick(10 * LOOK_MS);
    assert.equal(state.interrupts, 0, script);
    orphan();
    t.mock.timers.tick(10 * LOOK_MS);
    assert.equal(state.interrupts, 1, script);
    undo();
    t.mock.timers.reset();
  }
});

test('FM4 a command that was started by something else outlives it', (t) => {
  for (const script of [undefined, 'rosterd serve & vite', 'vite', 'my-rosterd serve']) {
    const { state, orphan, undo } = start(t, script);
    orphan();
    assert.equal(state.interrupts, 0, script);
    undo();
    t.mock.timers.reset();
  }
});

test('FM4 nothing is heard after it is undone', (t) => {
  const { state, send, orphan, undo, isListening } = start(t, 'rosterd serve');
  undo();
  send('SIGTERM', 0);
  orphan();
  assert.equal(state.interrupts, 0);
  assert.ok(!isListening());
});

test('FM4 the echo of a signal does not end what has let go of it; a later signal does', (t) => {
  const { state, send, undo, isListening } = start(t);
  send('SIGINT', 0);
  undo();
  send('SIGINT', 2);
  assert.equal(state.interrupts, 1);
  assert.ok(isListening(), 'deaf to the echo');
  t.mock.timers.tick(ECHO_MS);
  assert.ok(!isListening());
});
