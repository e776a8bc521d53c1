/** PF: plan files. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { TakenOutSummary } from '../../../daemon/sync/counts.ts';
import { looksLikePlan, PlanFile, PlanFileError, PlanWriter } from '../../../daemon/sync/plan/plan-file.ts';
import { NO_COUNTS, type PlanHeader, type PlanLine } from '../../../daemon/sync/plan/plan-lines.ts';
import { isLong } from '../../support/long.ts';
import { heldBytes } from '../../support/memory.ts';

const header: PlanHeader = {
  rosterd_plan: 1,
  created_at: '2026-01-01T00:00:00.000Z',
  url: 'http://x',
  source: 'users.csv',
  base: { epoch: 'e', seq: 7 },
  options: { missing: 'deactivate', scope: 'team=red' },
};
const lines: readonly PlanLine[] = [
  { error: { line: 7, id: 'x', code: 'invalid_user', reason: 'role: must be string' } },
  { do: 'create', line: 1, id: 'ann', rev: 0, user: { id: 'ann', name: 'Zoë 🎈' }, changes: { name: [null, 'Zoë 🎈'] } },
  { do: 'update', line: 2, id: 'bob', rev: null, user: { id: 'bob' } },
  { do: 'hard-delete', id: 'cat', rev: 12 },
];

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rosterd-plan-file-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function written(path: string, content: readonly PlanLine[] = lines): Promise<string> {
  const writer = await PlanWriter.create(path, header);
  await writer.add(content);
  await writer.finish({ rows: 4, unchanged: 1, missing: 1 });
  return readFileSync(path, 'utf8');
}

async function readAll(path: string): Promise<{ at: number; line: PlanLine }[]> {
  const plan = await PlanFile.open(path);
  const found: { at: number; line: PlanLine }[] = [];
  for await (const some of plan.lines()) found.push(...some);
  await plan.close();
  return found;
}

test('PF1 what was written is read, with its place in the file, its counts and the sum of all bytes before the end', async (t) => {
  const path = join(folder(t), 'plan.ndjson');
  const text = await written(path);
  const plan = await PlanFile.open(path);
  assert.deepEqual(plan.header, header);
  const counts = { ...NO_COUNTS, rows: 4, create: 1, update: 1, unchanged: 1, missing: 1, hard_delete: 1, errors: 1 };
  assert.deepEqual(plan.trailer.counts, counts);
  const before = text.slice(0, text.lastIndexOf('{"end"'));
  assert.equal(plan.trailer.sha256, createHash('sha256').update(before).digest('hex'));
  await plan.close();
  assert.deepEqual(
    await readAll(path),
    lines.map((line, index) => ({ at: index + 2, line })),
  );
  assert.equal(statSync(path).mode & 0o077, 0, 'others can read it');
});

test('PF2 a plan has its name only when it is complete; one that is given up leaves nothing', async (t) => {
  const path = join(folder(t), 'plan.ndjson');
  const writer = await PlanWriter.create(path, header);
  await writer.add(lines);
  assert.ok(!readdirSync(join(path, '..')).includes('plan.ndjson'));
  await writer.abandon();
  assert.deepEqual(readdirSync(join(path, '..')), []);
});

const LINES = isLong ? 300_000 : 50_000;

test(`PF3 ${LINES.toLocaleString('en-US')} lines pass through both ways with bounded memory`, { timeout: 120_000 }, async (t) => {
  const path = join(folder(t), 'plan.ndjson');
  const writer = await PlanWriter.create(path, header);
  const user = (i: number): PlanLine => ({ do: 'create', line: i, id: `u${i}`, rev: 0, user: { id: `u${i}`, text: 'x'.repeat(500) } });
  const part: PlanLine[] = Array.from({ length: 1_000 }, (_, i) => user(i));
  const before = heldBytes();
  let most = 0;
  for (let i = 0; i < LINES / 1_000; i++) await writer.add(part);
  await writer.finish({ rows: 0, unchanged: 0, missing: 0 });
  most = heldBytes();
  const plan = await PlanFile.open(path);
  let count = 0;
  for await (const some of plan.lines()) {
    count += some.length;
    if (count % 5_000 < some.length) most = Math.max(most, heldBytes());
  }
  await plan.close();
  assert.equal(count, LINES);
  // The file has more than 500 bytes for each line.
  const grownMiB = (most - before) / 2 ** 20;
  assert.ok(grownMiB < 10, `grew by ${grownMiB} MiB`);
});

type Damage = (text: string) => string;
const damages: readonly [string, Damage, RegExp][] = [
  ['nothing at all', () => '', /it is empty/],
  ['a source', () => '{"id":"ann"}\n', /does not begin like one/],
  ['another version', (text) => text.replace('"rosterd_plan":1', '"rosterd_plan":2'), /version 2 of the format, this program knows 1/],
  ['no end', (text) => text.slice(0, text.lastIndexOf('{"end"')), /has no end; whatever wrote it broke off/],
  ['a cut in the middle', (text) => text.slice(0, text.length / 2), /is no line of a plan|has no end/],
  ['a changed user', (text) => text.replace('"id":"ann","name":"Zoë', '"id":"ann","name":"Eve'), /checksum differs/],
  ['a line less', (text) => text.replace(/\{"do":"hard-delete".*\n/, ''), /checksum differs/],
  [
    'lines in another order',
    (text) =>
      text
        .split('\n')
        .with(2, text.split('\n')[3] ?? '')
        .with(3, text.split('\n')[2] ?? '')
        .join('\n'),
    /checksum differs/,
  ],
  ['a line that is none', (text) => text.replace('"do":"update"', '"do":"upsert"'), /line 4 is no line of a plan/],
  ['a user under another id', (text) => text.replace('"user":{"id":"bob"', '"user":{"id":"eve"'), /line 4 is no line of a plan/],
  ['other counts', (text) => text.replace('"hard_delete":1', '"hard_delete":2'), /its end counts 2 × hard_delete, but it holds 1/],
  ['something behind the end', (text) => `${text}{"do":"hard-delete","id":"eve","rev":1}\n`, /something follows its end, on line 7/],
];
for (const [what, damage, reason] of damages) {
  test(`PF4 with ${what} no line is given out`, async (t) => {
    const path = join(folder(t), 'plan.ndjson');
    writeFileSync(path, damage(await written(path)));
    await assert.rejects(
      readAll(path),
      (error) => error instanceof PlanFileError && reason.test(error.message) && error.message.includes(path),
    );
  });
}

test('PF4 line ends that an editor changed are no damage', async (t) => {
  const path = join(folder(t), 'plan.ndjson');
  writeFileSync(path, (await written(path)).replaceAll('\n', '\r\n'));
  assert.equal((await readAll(path)).length, lines.length);
});

test('PF5 a plan that is changed after it was verified is not read on', async (t) => {
  const path = join(folder(t), 'plan.ndjson');
  const text = await written(path);
  const plan = await PlanFile.open(path);
  writeFileSync(path, text.replace('cat', 'eve'));
  await assert.rejects(plan.lines().next(), /it was changed while it was read/);
  await plan.close();
});

test('PF6 plans are told from sources by their first bytes', async (t) => {
  const text = await written(join(folder(t), 'plan.ndjson'));
  assert.ok(looksLikePlan(text.slice(0, 64)));
  for (const other of ['', '{"id":"ann"}', '[{"rosterd_plan":1}]', 'id,name', '{"name":"rosterd_plan"}'])
    assert.ok(!looksLikePlan(other), other);
});

test('PF3 what is added is written as it comes, and not held until the end', async (t) => {
  const path = join(folder(t), 'plan.ndjson');
  const writer = await PlanWriter.create(path, header);
  const line: PlanLine = { do: 'create', line: 1, id: 'ann', rev: 0, user: { id: 'ann', name: 'x'.repeat(1_000) }, changes: {} };
  for (let n = 0; n < 2_000; n++) await writer.add([line]);
  const [part = ''] = readdirSync(join(path, '..'));
  assert.ok(statSync(join(path, '..', part)).size > 1_500_000);
  await writer.abandon();
  assert.deepEqual(readdirSync(join(path, '..')), []);
});

test('PF1 users that were taken out are named at the end of a plan, and only where there are some', async (t) => {
  const path = join(folder(t), 'plan.ndjson');
  const ended = async (takenOut?: TakenOutSummary): Promise<unknown> => {
    const writer = await PlanWriter.create(path, header);
    const trailer = await writer.finish({ rows: 0, unchanged: 0, missing: 0 }, takenOut);
    const plan = await PlanFile.open(path);
    await plan.close();
    assert.deepEqual(plan.trailer, trailer);
    return plan.trailer.taken_out;
  };
  assert.deepEqual([await ended(), await ended({ count: 0, first: [] })], [undefined, undefined]);
  const some: TakenOutSummary = { count: 1, first: [{ id: 'ann', how: 'deleted' }] };
  assert.deepEqual(await ended(some), some);
});

test('PF4 a plan of an earlier version of the program, whose end counts less, is read', async (t) => {
  const path = join(folder(t), 'plan.ndjson');
  const text = await written(path);
  writeFileSync(path, text.replace('"reactivate":0,"restore":0,', ''));
  assert.equal((await readAll(path)).length, lines.length);
  writeFileSync(path, text.replace('"rosterd_plan":1', '"rosterd_plan":null'));
  await assert.rejects(readAll(path), /it has version null of the format/);
});

test('PF3 what is more than a quarter of a MiB is in the file when it was added', async (t) => {
  const path = join(folder(t), 'plan.ndjson');
  const writer = await PlanWriter.create(path, header);
  const sizeOf = (): number => statSync(join(path, '..', readdirSync(join(path, '..'))[0] ?? '')).size;
  await writer.add([{ do: 'create', line: 1, id: 'ann', rev: 0, user: { id: 'ann', name: 'x'.repeat(200 * 1024) } }]);
  assert.equal(sizeOf(), 0);
  await writer.add([{ do: 'create', line: 2, id: 'bob', rev: 0, user: { id: 'bob', name: 'x'.repeat(60 * 1024) } }]);
  assert.ok(sizeOf() > 260 * 1024);
  await writer.abandon();
});

test('PF4 a line that is longer than a plan may have is none', async (t) => {
  const path = join(folder(t), 'plan.ndjson');
  const text = await written(path);
  writeFileSync(path, text.replace('{"do":"hard-delete"', `{"do":"hard-delete","x":"${'x'.repeat(1024 * 1024)}"`));
  await assert.rejects(readAll(path), { name: 'PlanFileError', message: `${path} cannot be used as a plan: line 5 is no line of a plan` });
});
