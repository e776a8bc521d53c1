/** US7: what the stale-reconnect guard remembers, for how long, and in how many bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import { decideConnect } from '../../../daemon/core/users/connect.ts';
import { newDetails, type SentDetails } from '../../../daemon/core/users/guard.ts';
import type { JsonObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { Bench } from '../../support/decide-bench.ts';
import { DEFAULT_POLICY } from '../../support/default-policy.ts';

/** The names that ann has after each step: a connect of a phone with this name, or a change by a server. */
function names(bench: Bench, steps: readonly (string | { readonly server: string })[]): (string | undefined)[] {
  return steps.map((step) => {
    if (typeof step === 'string') bench.connect('ann', { name: step });
    else bench.patch('ann', { name: step.server });
    return bench.user('ann').name;
  });
}

/** What `{name: 'Ann', custom: {color: 'blue'}}` leaves. */
const MEMORY_ON_DISK = '["hMNKPwu3-QhR","D470Jq7DtofH"]';

test('US7 two phones with different stale details roll back nothing, neither a server’s change nor each other’s', () => {
  const bench = new Bench();
  assert.deepEqual(names(bench, ['A', 'B', { server: 'S' }, 'A', 'B']), ['A', 'B', 'S', 'S', 'S']);
  const { rev } = bench.user('ann');
  const { seq } = bench.directory;
  assert.deepEqual(names(bench, ['A', 'B', 'B', 'A']), ['S', 'S', 'S', 'S']);
  assert.deepEqual([bench.user('ann').rev, bench.directory.seq], [rev, seq], 'no event, and nothing is written');
  assert.deepEqual(names(new Bench(), ['A', 'B', 'A', 'B']), ['A', 'B', 'B', 'B']);
});

test('US7 so do as many phones as are remembered, and a new value is written among them', () => {
  const bench = new Bench();
  const phones = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'];
  names(bench, [...phones, { server: 'S' }]);
  for (let round = 0; round < 3; round++) assert.deepEqual(new Set(names(bench, phones)), new Set(['S']));
  assert.deepEqual(names(bench, ['new', ...phones.slice(-4)]), ['new', 'new', 'new', 'new', 'new']);
});

test('US7 a phone that goes on sending its value is not forgotten for the values that others send', () => {
  const bench = new Bench();
  names(bench, ['stale', { server: 'S' }]);
  for (let n = 0; n < 50; n++) {
    bench.connect('ann', { name: `edit ${n}` });
    if (n % 3 === 0) assert.deepEqual(names(bench, ['stale']), [`edit ${n}`]);
  }
});

test('US7 a key that a phone leaves out is remembered until it is sent again', () => {
  const bench = new Bench();
  bench.connect('ann', { name: 'A', custom: { color: 'red', size: 1 } });
  bench.patch('ann', { name: 'S', color: 'blue' }, ['size']);
  bench.connect('ann', {});
  bench.connect('ann', { custom: { other: true } });
  bench.connect('ann', { name: 'A', custom: { color: 'red', size: 1 } });
  const { name, custom } = bench.user('ann');
  assert.deepEqual([name, custom], ['S', { color: 'blue', other: true }]);
});

test('US7 the value that a server set counts as sent once a phone has sent it', () => {
  const bench = new Bench();
  assert.deepEqual(names(bench, ['A', { server: 'S' }, 'S', { server: 'T' }, 'S', 'A', 'T', { server: 'A' }, 'T', 'S']), [
    ...['A', 'S', 'S', 'T', 'T', 'T', 'T', 'A', 'A', 'A'],
  ]);
});

test('US7 only what a connect has sent is remembered', () => {
  const bench = new Bench();
  // Neither a server's value nor that of an update counts as sent: the first phone to send it is heard.
  bench.connect('ann', { name: 'A' });
  bench.patch('ann', { name: 'S' });
  bench.upsert([{ id: 'ann', name: 'T' }]);
  bench.patch('ann', { name: 'U' }, [], { kind: 'user', id: 'ann' });
  assert.deepEqual(names(bench, ['S', 'T', 'U', 'S']), ['S', 'T', 'U', 'U']);
});

test('US7 the memory outlives an upsert by a server', () => {
  const bench = new Bench();
  names(bench, ['A', 'B']);
  bench.upsert([{ id: 'ann', name: 'S' }]);
  assert.deepEqual(names(bench, ['A', 'B']), ['S', 'S']);
});

test('US7 the order of keys is no difference, that of a list and the type of a value are', () => {
  const bench = new Bench();
  const connects = (...values: JsonObject[]): unknown[] =>
    values.map((value) => {
      bench.connect('ann', { custom: value });
      return bench.user('ann').custom.k;
    });
  assert.deepEqual(connects({ k: { a: 1, b: 2 } }), [{ a: 1, b: 2 }]);
  bench.patch('ann', { k: 'S' });
  assert.deepEqual(
    connects({ k: { b: 2, a: 1 } }, { k: [1, 2] }, { k: { a: 1, b: 2 } }, { k: [2, 1] }, { k: '1' }, { k: 1 }, { k: null }),
    [...['S', [1, 2], [1, 2], [2, 1], '1', 1, null]],
  );
});

test('US7 of a switch only the last value counts as sent: a client can set it and set it back', () => {
  const bench = new Bench();
  for (const invisible of [true, false, true, false]) {
    bench.connect('ann', { invisible, custom: { dark: invisible }, privacy_settings: { read_receipts: { enabled: invisible } } });
    const user = bench.user('ann');
    assert.deepEqual([user.invisible, user.custom.dark, user.privacy_settings?.read_receipts?.enabled], [invisible, invisible, invisible]);
  }
  bench.patch('ann', { invisible: true, dark: true });
  bench.connect('ann', { invisible: false, custom: { dark: false } });
  assert.deepEqual([bench.user('ann').invisible, bench.user('ann').custom.dark], [true, true], 'a stale phone sets nothing back');
});

test('US7 a memory that an earlier version wrote holds the values that were sent last', () => {
  const before = '{"name":"A","invisible":true,"custom":{"color":"red","deep":{"b":1,"a":[1]}}}';
  const stale: SentDetails = { name: 'A', invisible: true, custom: { color: 'red', deep: { a: [1], b: 1 } } };
  const { fresh, memory } = newDetails(stale, before);
  assert.deepEqual(fresh, { custom: {} });
  assert.deepEqual(newDetails({ ...stale, name: 'B', image: 'i' }, memory).fresh, { name: 'B', image: 'i', custom: {} });
  assert.deepEqual(newDetails({ custom: {} }, '{}'), { fresh: { custom: {} }, memory: '[]' });
});

/** The values of `name` that a connect would write now, after these were sent one after the other. */
function newAfter(sent: readonly string[], asked: readonly string[]): string[] {
  let memory: string | undefined;
  for (const name of sent) ({ memory } = newDetails({ name, custom: {} }, memory));
  return asked.filter((name) => newDetails({ name, custom: {} }, memory).fresh.name !== undefined);
}

test('US7 the last eight values of a key are remembered, and none before', () => {
  const values = Array.from({ length: 9 }, (_, n) => `v${n}`);
  assert.deepEqual(newAfter(values.slice(0, 8), values), ['v8']);
  assert.deepEqual(newAfter(values, values), ['v0']);
});

test('US7 one of the four newest values of any key changes nothing in the memory when it is sent again', () => {
  let memory: string | undefined;
  for (const name of ['v1', 'v2', 'v3', 'v4', 'v5']) ({ memory } = newDetails({ name, custom: {} }, memory));
  ({ memory } = newDetails({ image: 'i', custom: { color: 'red' } }, memory));
  const moves = (details: SentDetails): boolean => newDetails(details, memory).memory !== memory;
  assert.deepEqual(
    ['v5', 'v4', 'v3', 'v2', 'v1'].map((name) => moves({ name, custom: {} })),
    [false, false, false, false, true],
  );
  assert.deepEqual([moves({ image: 'i', custom: {} }), moves({ custom: { color: 'red' } })], [false, false]);
});

test('US7 every key that a connect may write is guarded by itself', () => {
  const details: SentDetails = {
    name: 'n',
    image: 'n',
    language: 'n',
    invisible: true,
    privacy_settings: {},
    custom: { name: 'n', k: 'n' },
  };
  const first = newDetails(details, undefined);
  assert.deepEqual(first.fresh, details);
  assert.deepEqual(newDetails(details, first.memory).fresh, { custom: {} });
  for (const field of ['name', 'image', 'language', 'invisible', 'privacy_settings'] as const) {
    const { memory } = newDetails({ [field]: details[field], custom: {} }, undefined);
    const { [field]: known, ...others } = details;
    assert.ok(known !== undefined);
    assert.deepEqual(newDetails(details, memory).fresh, others, field);
  }
});

test('US7 a memory on disk is read by later versions: its form stays', () => {
  assert.equal(newDetails({ name: 'Ann', custom: { color: 'blue' } }, undefined).memory, MEMORY_ON_DISK);
  assert.deepEqual(newDetails({ name: 'Ann', custom: { color: 'blue', size: 1 } }, MEMORY_ON_DISK).fresh, { custom: { size: 1 } });
});

test('US7 a thousand keys are remembered, those with the newest values', () => {
  const keys = (from: number, to: number): JsonObject =>
    Object.fromEntries(Array.from({ length: to - from }, (_, n) => [`k${from + n}`, 1]));
  const half = newDetails({ custom: keys(0, 600) }, undefined);
  const full = newDetails({ custom: keys(600, 1_000) }, half.memory);
  assert.deepEqual(newDetails({ custom: keys(0, 1_000) }, full.memory).fresh, { custom: {} });
  // The first key gets a new value, so the second one is the oldest.
  const { memory } = newDetails({ custom: { k0: 2, other: 1 } }, full.memory);
  assert.deepEqual(newDetails({ custom: { ...keys(1, 1_000), k0: 2, other: 1 } }, memory).fresh, { custom: { k1: 1 } });
});

test('US7 the memory has up to 16 KiB; fewer values of each key are kept only where it would be longer', () => {
  let memory: string | undefined;
  const connect = (custom: JsonObject): void => {
    ({ memory } = newDetails({ custom }, memory));
  };
  const many = (count: number, name: string, value: string): JsonObject =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`${name}${n}`, value]));
  // Keys with one value take 15 characters, those with eight 71.
  connect(many(936, 'one', 'v'));
  for (let n = 0; n < 8; n++) connect(many(33, 'eight', `v${n}`));
  assert.equal(memory?.length, 16 * 1024);
  const known = (): string[] =>
    Array.from({ length: 8 }, (_, n) => `v${n}`).filter(
      (v) => newDetails({ custom: { eight0: v } }, memory).fresh.custom.eight0 === undefined,
    );
  assert.equal(known().length, 8);
  connect({ more: 'v' });
  assert.deepEqual(known(), ['v4', 'v5', 'v6', 'v7']);
});

test('US7 the memory is bounded, however many keys and values a user sends, and holds no value in readable form', () => {
  const usual = newDetails({ name: 'Ann Example', image: 'https://example.com/ann.png', custom: { color: 'blue', size: 7 } }, undefined);
  assert.ok(usual.memory.length < 100, usual.memory);
  assert.doesNotMatch(usual.memory, /Ann|example|blue/);
  let memory: string | undefined;
  for (let round = 0; round < 25; round++) {
    const custom = Object.fromEntries(Array.from({ length: 800 }, (_, n) => [`${(n + round * 7).toString(36)}`, round]));
    ({ memory } = newDetails({ custom }, memory));
    assert.ok(memory.length <= 16 * 1024, `${memory.length} after ${round} connects`);
    // As many keys as fit into one connect are remembered, whatever was sent before.
    assert.deepEqual(newDetails({ custom }, memory).fresh, { custom: {} });
  }
  const most = Object.fromEntries(Array.from({ length: Math.floor(LIMITS.clientUserBytes / 6) }, (_, n) => [n.toString(36), 1]));
  const full = newDetails({ custom: most }, memory);
  assert.deepEqual(newDetails({ custom: most }, full.memory).fresh, { custom: {} });
});

test('US7 the memory is the same after a restart from the log and from a snapshot', () => {
  const bench = new Bench();
  names(bench, ['A', 'B', 'C', { server: 'S' }]);
  const reopened = new Directory({ epoch: 'test', seq: bench.directory.seq });
  reopened.load(JSON.parse(JSON.stringify([...bench.directory.freeze().lines()])));
  for (const name of ['A', 'B', 'C']) {
    const draft = new Draft(reopened);
    decideConnect(draft, { kind: 'connect', id: 'ann', details: { name, custom: {} } }, { now: 10_000, wall: 10_000 }, DEFAULT_POLICY);
    assert.deepEqual(draft.facts, [], name);
  }
});
