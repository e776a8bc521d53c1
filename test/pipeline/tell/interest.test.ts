/** DE4: who is told of documents. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interest } from '../../../daemon/pipeline/tell/interest.ts';
import { batchFromLog } from '../../../daemon/pipeline/tell/user-event.ts';
import type { DocFact } from '../../../protocol/log/documents.ts';
import { AT, importTask, lookupsOf } from '../../support/document-kit.ts';
import { RulesBench } from '../../support/rules-bench.ts';

test('DE4 only a server that wants everything is told, from its position on, whatever else it wants', () => {
  const fact: DocFact = { t: 'doc', kind: 'import', id: 'i1', doc: importTask(), event: { type: 'import.updated' } };
  const [event] = batchFromLog({ id: 'e', time: AT, first: 5, facts: [fact] }, lookupsOf(new RulesBench())).events;
  assert.ok(event !== undefined);
  const all = { kind: 'all' } as const;
  const cases = [
    ['server', all, 4, 'sent'],
    ['server', all, 5, 'not sent: the subscription begins after position 5'],
    ['self', all, 4, 'not sent: only servers are sent import.updated'],
    ['others', all, 4, 'not sent: only servers are sent import.updated'],
    [
      'server',
      { kind: 'ids', ids: new Set(['i1']) },
      4,
      'not sent: import.updated is about no user, and is sent only to subscriptions to everything',
    ],
    [
      'server',
      { kind: 'teams', teams: new Set(['red']) },
      4,
      'not sent: import.updated is about no user, and is sent only to subscriptions to everything',
    ],
  ] as const;
  for (const [reach, want, since, why] of cases) {
    const interest = new Interest({ name: 'x', want, since, reach });
    assert.equal(interest.explain(event), why);
    assert.equal(interest.concerns(event), why === 'sent');
  }
});
