/** DE5, HB2: an event about a document is made once for each form and each receiver's names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachText } from '../../../daemon/pipeline/tell/frame.ts';
import { batchFromLog } from '../../../daemon/pipeline/tell/user-event.ts';
import type { DocFact } from '../../../protocol/log/documents.ts';
import { AT, importTask, lookupsOf, task } from '../../support/document-kit.ts';
import { RulesBench } from '../../support/rules-bench.ts';

test('HB2 receivers of one form and one name share the bytes of an event about a document, and all others get their own', () => {
  const fact: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: importTask(), event: { type: 'import.updated' } };
  const [event] = batchFromLog({ id: 'e', time: AT, first: 5, facts: [fact] }, lookupsOf(new RulesBench())).events;
  assert.ok(event !== undefined);
  const textOf = (form: 'live' | 'io live' | 'v1', sub: string): string =>
    [...eachText(event.frame(form, `,"sub":["${sub}"]`, true))].join();
  for (let round = 0; round < 2; round++) {
    assert.equal(JSON.parse(textOf('live', 'a')).sub[0], 'a');
    assert.equal(JSON.parse(textOf('live', 'b')).sub[0], 'b');
    assert.equal(JSON.parse(textOf('v1', 'b')).sub[0], 'b');
    assert.ok(textOf('io live', 'a').startsWith('42["event",'));
  }
  assert.equal(event.frame('live', ',"sub":["a"]', true), event.frame('live', ',"sub":["a"]', true));
});

test('HB2 four frames of an event about a document are kept, until it is released; one with a link that expires is never kept', () => {
  const lookups = lookupsOf(new RulesBench());
  const eventOf = (fact: DocFact) => {
    const [event] = batchFromLog({ id: 'e', time: AT, first: 5, facts: [fact] }, lookups).events;
    return event ?? assert.fail();
  };
  const event = eventOf({ t: 'doc', kind: 'import', id: 'i1', doc: importTask(), event: { type: 'import.updated' } });
  const named = (name: string): string => `,"sub":["${name}"]`;
  const first = ['a', 'b', 'c', 'd', 'e'].map((name) => event.frame('live', named(name), true));
  const again = ['a', 'b', 'c', 'd', 'e'].map((name) => event.frame('live', named(name), true));
  assert.deepEqual(
    again.map((frame, index) => frame === first[index]),
    [true, true, true, true, false],
  );
  assert.deepEqual(again, first);
  event.release();
  assert.notEqual(event.frame('live', named('a'), true), first[0]);
  const exported = eventOf({
    t: 'doc',
    kind: 'task',
    id: 't1',
    doc: task({ status: 'completed' }),
    event: { type: 'export.users.success' },
  });
  assert.notEqual(exported.frame('live', '', true), exported.frame('live', '', true));
  const failed = eventOf({ t: 'doc', kind: 'task', id: 't1', doc: task({ status: 'failed' }), event: { type: 'export.users.error' } });
  assert.equal(failed.frame('live', '', true), failed.frame('live', '', true));
});
