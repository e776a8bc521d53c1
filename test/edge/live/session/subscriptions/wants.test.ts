/** BU5: what one connection may ask for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mustFit, wantOf } from '../../../../../daemon/edge/live/session/subscriptions/wants.ts';
import { RosterError } from '../../../../../protocol/base/errors.ts';
import type { Sub } from '../../../../../protocol/live/client-frames.ts';
import { Bench } from '../../../../support/decide-bench.ts';

const { directory } = new Bench();
const SERVER = { kind: 'server' } as const;
const want = (sub: Omit<Sub, 'sub'>) => wantOf({ sub: 's', ...sub }, SERVER, { directory });
const searching = (conditions: number, prefix = '') =>
  want({ filter: { $or: Array.from({ length: conditions }, (_, index) => ({ name: { $q: `${prefix}w${index}` } })) } });
const refused = (act: () => unknown, reason: RegExp): void =>
  assert.throws(act, (error) => error instanceof RosterError && error.kind === 'input' && reason.test(error.message));

test('BU5 a filter has at most 100 conditions and 32 kB, and the refusal names the bound', () => {
  refused(() => searching(101), /filter: must not have more than 100 conditions, got 101/);
  refused(() => want({ filter: { id: { $in: Array.from({ length: 100 }, () => 'x'.repeat(400)) } } }), /32768 bytes, got 4/);
});

test('BU5 a connection has at most 400 conditions, those of its filters together', () => {
  const full = Array.from({ length: 4 }, (_, index) => searching(100, `${index}`));
  mustFit(full);
  refused(() => mustFit([...full, searching(1)]), /at most 400 conditions in the filters of a connection, this would make 401/);
  refused(() => mustFit(Array.from({ length: 33 }, () => want({ all: true }))), /at most 32 subscriptions/);
});
