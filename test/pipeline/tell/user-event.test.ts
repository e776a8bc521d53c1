/** The events of an entry: their order (DE5), and the forms in which they are sent (PV7). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchFromLog } from '../../../daemon/pipeline/tell/user-event.ts';
import type { DocFact } from '../../../protocol/log/documents.ts';
import { AT, benchOf, importTask, lookupsOf } from '../../support/document-kit.ts';

test('DE5 events of one entry stand in the order of their facts', () => {
  const bench = benchOf('ann', 'bob');
  const [first] = bench.entries;
  const user = first?.facts[0];
  assert.ok(user?.t === 'user');
  const step: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: importTask(), event: { type: 'import.updated' } };
  const silent: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: null };
  const batch = batchFromLog({ id: 'e', time: AT, first: 7, facts: [step, user, silent, step, user] }, lookupsOf(bench));
  assert.deepEqual(
    batch.events.map(({ seq, type, id }) => [seq, type, id]),
    [
      [7, 'import.updated', 'i1'],
      [8, 'user.updated', 'ann'],
      [10, 'import.updated', 'i1'],
      [11, 'user.updated', 'ann'],
    ],
  );
  assert.deepEqual([batch.first, batch.last], [7, 11]);
});

test('PV7 all receivers share the bytes of an event; a user with private fields has one more form, for other clients', () => {
  const bench = benchOf('ann', 'bob');
  bench.upsert([{ id: 'bob', privacy_settings: { typing_indicators: { enabled: false } } }]);
  const [ann, bob] = [bench.user('ann'), bench.user('bob')].map((user) => {
    const [event] = batchFromLog({ id: 'e', time: AT, first: 7, facts: [{ t: 'user', event: 'updated', user }] }, lookupsOf(bench)).events;
    assert.ok(event !== undefined);
    return event;
  });
  for (const form of ['live', 'live-ns', 'v1', 'io live'] as const) {
    assert.equal(ann?.frame(form, '', true), ann?.frame(form, '', false), 'the very same buffer');
    assert.equal(bob?.frame(form, '', true), bob?.frame(form, '', true));
    assert.match(bob?.text(form, '', true) ?? '', /privacy_settings/);
    assert.doesNotMatch(bob?.text(form, '', false) ?? '', /privacy_settings/);
  }
});
