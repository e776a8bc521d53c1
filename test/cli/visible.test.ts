/** CM12: what people read of a command holds no control character. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { harmless } from '../../daemon/cli/io.ts';
import { describePlan } from '../../daemon/cli/sync/plan-summary.ts';
import { visible, visibleLines } from '../../daemon/cli/visible.ts';
import { NO_COUNTS } from '../../daemon/sync/plan/plan-lines.ts';

const RED = '\u001b[31m';

test('CM12 control characters and direction marks are shown, and all other characters stay', () => {
  assert.equal(visible(`a${RED}b\u009bc\u202ed\u2028e\nf\u0000`), 'a\\u001b[31mb\\u009bc\\u202ed\\u2028e\\u000af\\u0000');
  assert.equal(visibleLines(`a${RED}\nb\r\n`), 'a\\u001b[31m\nb\\u000d\n');
  for (const text of ['', 'Zoë 山田 محمد 😀 …', '\ud800']) assert.equal(visible(text), text);
});

test('CM12 what is written to stderr is made harmless, whatever it repeats', () => {
  const written: string[] = [];
  const stderr = harmless({ write: (text) => written.push(text) > 0, drained: async () => {}, isTTY: false });
  stderr.write(`rosterd: unknown columns: ${RED}x\nrosterd: columns of the source: ${RED}x\n`);
  assert.deepEqual(written, ['rosterd: unknown columns: \\u001b[31mx\nrosterd: columns of the source: \\u001b[31mx\n']);
});

test('CM12 the table of a plan is harmless', () => {
  const text = describePlan({
    status: 'planned',
    counts: { ...NO_COUNTS, update: 1, errors: 1 },
    base: null,
    fields: [{ field: `custom.${RED}`, changed: 1, removed: 0 }],
    errors: [{ reason: `teams_role.${RED}: must be string, got number`, count: 1, lines: [2] }],
    examples: {
      create: [],
      update: [{ do: 'update', line: 1, id: 'ann', rev: 1, user: { id: 'ann' }, changes: { [`custom.${RED}`]: [1, '\u202e'] } }],
      reactivate: [],
      restore: [],
      missing: [],
    },
    takenOut: { count: 0, first: [] },
    notes: [],
    problems: [],
    elapsedMs: 1,
  });
  assert.ok(
    text.includes('custom.\\u001b[31m  1\n') && text.includes('teams_role.\\u001b[31m: must be string') && text.includes('\\u202e'),
    text,
  );
  assert.equal(text, visibleLines(text));
});
