/** BU5: what one connection and one user may ask for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mustFit, wantOf } from '../../../../../daemon/edge/live/session/subscriptions/wants.ts';
import { RosterError } from '../../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../../protocol/base/limits.ts';
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
  mustFit(full, []);
  refused(() => mustFit([...full, searching(1)], []), /at most 400 conditions in the filters of a connection, this would make 401/);
  refused(
    () =>
      mustFit(
        Array.from({ length: 33 }, () => want({ all: true })),
        [],
      ),
    /at most 32 subscriptions/,
  );
});

test('BU5 the connections of one user together have bounds for conditions, bytes, ids and snapshots', () => {
  const asks = (wants: ReturnType<typeof want>[], snapshots = 0) => ({ wants, snapshots });
  const full = asks(Array.from({ length: 4 }, () => searching(100)));
  mustFit([searching(100)], [full, asks(Array.from({ length: 3 }, () => searching(100)))]);
  refused(() => mustFit([searching(1)], [full, full]), /at most 800 conditions .* this would make 801/);
  const ids = want({ ids: Array.from({ length: 1_000 }, (_, index) => `u${index}`) });
  mustFit([ids], [asks(Array.from({ length: 19 }, () => ids))]);
  refused(() => mustFit([ids, ids], [asks(Array.from({ length: 19 }, () => ids))]), /at most 20000 ids and teams/);
  const long = want({ filter: { id: { $in: Array.from({ length: 100 }, (_, index) => `${'x'.repeat(250)}${index}`) } } });
  refused(() => mustFit([long], [asks(Array.from({ length: 10 }, () => long))]), new RegExp(`at most ${LIMITS.filterBytesPerUser} bytes`));
  refused(() => mustFit([ids], [asks([], 33)]), /unfinished snapshots/);
});
