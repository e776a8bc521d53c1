/** WH1, WH2, WH16: which facts give a hook its position, and which positions come too late. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DocChange } from '../../../protocol/log/documents.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const hook = (id: string, enabled = true) => ({
  ...{ id, hook_type: 'webhook', enabled, webhook_url: 'https://hooks.example/', event_types: [], dialect: 'v2' },
});

/** The outboxes that these hooks cause to be written: `id@seq`, or `id gone`. */
function written(bench: RulesBench, ...hooks: readonly object[]): string[] {
  const facts = bench.factsOf(() => bench.settings({ event_hooks: hooks as never }));
  return facts.flatMap((fact) =>
    fact.t !== 'doc' || fact.kind !== 'outbox' ? [] : [fact.doc === null ? `${fact.id} gone` : `${fact.id}@${fact.doc.seq}`],
  );
}

test('WH1 WH2 a hook has a position from the entry that enables it, until the entry that disables or removes it', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann' }]);
  const { seq } = bench.directory;
  assert.deepEqual(written(bench, hook('h')), [`h@${seq + 1}`], 'that of the settings');
  assert.deepEqual(written(bench, hook('h'), hook('i', false)), [], 'it has one, and a disabled hook has none');
  const { seq: later } = bench.directory;
  assert.deepEqual(written(bench, hook('h'), hook('i')), [`i@${later + 1}`]);
  assert.deepEqual(written(bench, hook('h', false), hook('i')), ['h gone']);
  assert.deepEqual(written(bench, hook('i')), [], 'there is nothing to take away');
  assert.deepEqual(written(bench), ['i gone']);
  assert.deepEqual([...bench.directory.docs.all('outbox')], []);
});

test('WH16 a position is stored when it is further on, in another epoch, and of a hook that is there', () => {
  const bench = new RulesBench();
  written(bench, hook('h'));
  const known = bench.directory.docs.get('outbox', 'h');
  assert.ok(known);
  const store = (id: string, more: object): unknown => {
    const changes: DocChange[] = [{ kind: 'outbox', id, doc: { ...known, id, ...more } }];
    return bench.factsOf(() => bench.run({ kind: 'docs', changes })).length;
  };
  assert.equal(store('h', {}), 0, 'the same');
  assert.equal(store('h', { seq: known.seq - 1 }), 0, 'an earlier one');
  assert.equal(store('h', { seq: known.seq + 1 }), 1);
  assert.equal(bench.directory.docs.get('outbox', 'h')?.seq, known.seq + 1);
  assert.equal(store('h', { seq: known.seq, epoch: 'other' }), 1, 'of another history');
  assert.equal(store('gone', { seq: 99 }), 0, 'of a hook that is not there');
});
