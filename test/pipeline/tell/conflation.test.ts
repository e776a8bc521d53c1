/** DE5, LV20: a stretch of the past for those who want only the newest state of each user. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conflation } from '../../../daemon/pipeline/tell/conflation.ts';
import { eachText } from '../../../daemon/pipeline/tell/frame.ts';
import { Interest } from '../../../daemon/pipeline/tell/interest.ts';
import { batchFromLog } from '../../../daemon/pipeline/tell/user-event.ts';
import { lookupsOf } from '../../support/document-kit.ts';
import { RulesBench } from '../../support/rules-bench.ts';

test('DE5 who wants only the newest state of each user gets every event about documents, in its place', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: '1' }]);
  bench.run({ kind: 'group-create', id: 'g', name: 'G', memberIds: ['ann'] });
  bench.upsert([{ id: 'ann', name: '2' }]);
  bench.run({ kind: 'group-update', id: 'g', name: 'H' });
  const conflation = new Conflation([new Interest({ name: 'x', want: { kind: 'all' }, since: 0, reach: 'server' })]);
  for (const entry of bench.entries) for (const event of batchFromLog(entry, lookupsOf(bench)).events) conflation.take(event);
  assert.ok(conflation.bytes > 0);
  const told = conflation
    .frames({ form: 'live', isPrivyTo: () => true })
    .flatMap((frame) => [...eachText(frame)].map((text) => JSON.parse(text)));
  assert.deepEqual(
    told.map(({ seq, type, sub }) => [seq, type, sub]),
    [
      [2, 'user_group.created', ['x']],
      [3, 'user.updated', ['x']],
      [4, 'user_group.updated', ['x']],
    ],
  );
});

/** What is sent of the entries after `since`, as `seq type id note`, where the note is a mark of arrival or a match. */
function conflated(bench: RulesBench, interest = new Interest({ name: '', want: { kind: 'all' }, since: 0, reach: 'server' })): string[] {
  const conflation = new Conflation([interest]);
  for (const entry of bench.entries) for (const event of batchFromLog(entry, lookupsOf(bench)).events) conflation.take(event);
  const frames = conflation.frames({ form: 'live', isPrivyTo: () => true });
  return frames
    .flatMap((frame) => [...eachText(frame)].map((text) => JSON.parse(text)))
    .map(({ seq, type, user, created, restored, match }) =>
      [seq, type, user.id, user.name, created && 'created', restored && 'restored', match].filter((part) => part !== undefined).join(' '),
    );
}

test('LV20 of several states of a user the last is sent, at its own position, in the order of the last ones', () => {
  const bench = new RulesBench();
  bench.upsert([
    { id: 'ann', name: '1' },
    { id: 'bob', name: '1' },
  ]);
  for (const name of ['2', '3']) bench.upsert([{ id: 'ann', name }]);
  bench.upsert([{ id: 'carl', name: '1' }]);
  bench.upsert([{ id: 'bob', name: '2' }]);
  assert.deepEqual(conflated(bench), ['4 user.updated ann 3 created', '5 user.updated carl 1 created', '6 user.updated bob 2 created']);
});

test('LV20 a user that is deleted in the end is deleted, whatever it was before; one that is restored says so', () => {
  const bench = new RulesBench();
  bench.upsert([
    { id: 'ann', name: '1' },
    { id: 'bob', name: '1' },
  ]);
  bench.delete('ann');
  bench.delete('bob');
  bench.run({ kind: 'restore', ids: ['bob'] });
  bench.upsert([{ id: 'bob', name: '2' }]);
  assert.deepEqual(conflated(bench), ['3 user.deleted ann 1', '6 user.updated bob 2 restored']);
});

test('LV20 moderation and custom events are sent one by one, and no state is moved past them', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: '1' }, { id: 'mod' }]);
  bench.upsert([{ id: 'ann', name: '2' }]);
  bench.run({ kind: 'ban', actor: { kind: 'server' }, target: 'ann', by: 'mod' });
  bench.upsert([{ id: 'ann', name: '3' }]);
  bench.upsert([{ id: 'ann', name: '4' }]);
  assert.deepEqual(conflated(bench), [
    '2 user.updated mod created',
    '3 user.updated ann 2 created',
    '4 user.banned ann 2',
    '6 user.updated ann 4',
  ]);
});

test('LV20 events before the position of a subscription are not merged into those after it', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: '1' }]);
  for (const name of ['2', '3', '4']) bench.upsert([{ id: 'ann', name }]);
  assert.deepEqual(conflated(bench, new Interest({ name: '', want: { kind: 'all' }, since: 2, reach: 'server' })), [
    '4 user.updated ann 4',
  ]);
});
