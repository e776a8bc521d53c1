/** CY4: how a copy is compared, over answers of the test's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digest } from '../../../../protocol/base/digest.ts';
import { CopyCheck, type CopyQuestions, compareRevs } from '../../../../protocol/users/comparing/copy-check.ts';
import { CopyReader, readCopyText } from '../../../../protocol/users/comparing/copy-reader.ts';

const USERS = [
  { id: 'ann', rev: 1 },
  { id: 'bob', rev: 2 },
];

/** A directory of two users that notes what it is asked. */
function directory(lines: readonly object[], asked: string[] = []): CopyQuestions {
  return {
    get: async (path) => {
      asked.push(path);
      return { epoch: 'e', seq: 5, users: 2, digest: digest(USERS), parts: [digest(USERS)] };
    },
    post: async () => ({ changed: 0, differences: [] }),
    lines: async function* (path) {
      asked.push(path);
      yield* lines.map((line) => JSON.stringify(line));
    },
  };
}

function copyIn(text: string) {
  const reader = new CopyReader({ withFields: true });
  readCopyText(text, reader);
  return reader.copy({ team: undefined });
}

test('CY4 a copy with the same digest is equal, and no id is asked about', async () => {
  const asked: string[] = [];
  const verdict = await new CopyCheck(copyIn(JSON.stringify(USERS)), directory([], asked), ({ id }) => assert.fail(id)).run();
  assert.deepEqual([verdict.isEqual, verdict.copyDigest, asked], [true, digest(USERS), ['/api/v2/sync/digests?parts=1']]);
});

test('CY4 a list that breaks off, or is of a node that is behind, proves nothing', async () => {
  const stale = copyIn('{"id":"ann","rev":1}');
  const run = (lines: readonly object[]) => new CopyCheck(stale, directory(lines), () => {}).run();
  await assert.rejects(run([{ epoch: 'e', seq: 5, count: 2 }, ...USERS]), /broke off/);
  await assert.rejects(run([{ epoch: 'e', seq: 4, count: 2 }, ...USERS, { end: true }]), /further behind/);
  const verdict = await run([{ epoch: 'e', seq: 5, count: 2 }, ...USERS, { end: true }]);
  assert.deepEqual([verdict.isEqual, verdict.counts.missing_there], [false, 1]);
});

test('CY4 a revision after the position says nothing, whichever side has it', () => {
  assert.deepEqual(
    [compareRevs(3, 3, 1), compareRevs(3, 2, 3), compareRevs(2, 3, 3), compareRevs(4, 2, 3), compareRevs(2, 4, 3)],
    ['equal', 'older', 'newer', 'changed', 'changed'],
  );
});

test('CY6 users are read from lists, lines, maps by id and answers; the position from a first line', () => {
  const forms = [
    '[{"id":"ann","rev":1}]',
    '{"id":"ann","rev":1}',
    '{"ann":{"rev":1}}',
    '{"users":[{"id":"ann","rev":1}],"duration":"1ms"}',
  ];
  for (const form of forms) assert.deepEqual([...copyIn(form).revs], [['ann', 1]], form);
  const listed = copyIn('{"epoch":"e","seq":5,"count":1}\n{"id":"ann","rev":1,"deactivated":true}\n{"end":true,"count":1}\n');
  assert.deepEqual([listed.position, listed.users], [{ epoch: 'e', seq: 5 }, []]);
  assert.deepEqual(copyIn('{"id":"ann","rev":1,"name":"Ann"}').users, [{ id: 'ann', name: 'Ann' }]);
});
