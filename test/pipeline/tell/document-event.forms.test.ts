/** DE5, HB2: an event about a document is made once for each form and each receiver's names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachText } from '../../../daemon/pipeline/tell/frame.ts';
import { batchFromLog } from '../../../daemon/pipeline/tell/user-event.ts';
import type { DocFact } from '../../../protocol/log/documents.ts';
import { AT, importTask, lookupsOf } from '../../support/document-kit.ts';
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
