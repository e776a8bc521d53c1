/** IM1–IM5, IM8, IM12: an import from its document to its end, over a directory in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { ImportTask } from '../../../protocol/transfer/imports.ts';
import { BlobsUnavailable } from '../../../store/blobs.ts';
import { ID, ImportBench, lines, many, never } from '../../support/sync/import-bench.ts';

const stepsOf = ({ history }: ImportTask): string[] => history.map(({ prev_state, next_state }) => `${prev_state}>${next_state}`);
const FULL = ['>uploaded', 'uploaded>analyzing', 'analyzing>analyzed', 'analyzed>importing', 'importing>completed'];

test('IM2 IM8 the file is analysed and imported in batches of 100, in its order, and each step is in the history', async () => {
  const text = lines(many(250));
  const ran = await new ImportBench({ text }).run();
  assert.deepEqual(stepsOf(ran.task), FULL);
  assert.ok(ran.task.history.every(({ created_at }) => created_at === 1_800_000_000_000_000));
  assert.equal(ran.task.size, Buffer.byteLength(text));
  assert.deepEqual(ran.batches, [100, 100, 50]);
  assert.deepEqual(ran.result, { users: 250, done: 250, created: 250, updated: 0, unchanged: 0, failed: 0 });
  assert.deepEqual(
    many(250).map(({ id }) => ran.bench.user(id).name),
    many(250).map(({ name }) => name),
  );
  const revs = many(250).map(({ id }) => ran.bench.user(id).rev);
  assert.deepEqual(
    revs,
    revs.toSorted((a, b) => a - b),
  );
});

test('IM1 one bad item anywhere fails the analysis: every error has its place, and nothing is written', async () => {
  const bad = ['{oops\n', lines([{ id: 'b', role: 'boss' }]), lines([{ id: 'u3' }]), lines([{ id: 'gone' }, { id: 'soft' }])];
  const setup = { text: `${lines(many(150))}${bad.join('')}` };
  const bench = new ImportBench(setup);
  bench.bench.upsert([{ id: 'gone' }, { id: 'soft' }]);
  bench.bench.delete('gone', 'hard');
  bench.bench.delete('soft', 'soft');
  const { task, batches, result } = await bench.run();
  assert.deepEqual([task.state, batches], ['analyze_failed', []]);
  assert.deepEqual([result.users, result.failed, result.created], [155, 5, undefined]);
  assert.deepEqual(
    (result.errors as { item: number; id?: string; code: string }[]).map(({ item, id, code }) => [item, id, code]),
    [
      [151, undefined, 'invalid_json'],
      [152, 'b', 'invalid_user'],
      [153, 'u3', 'duplicate_id'],
      [154, 'gone', 'invalid_user'],
      [155, 'soft', 'invalid_user'],
    ],
  );
});

function utf32(text: string, order: 'little' | 'big'): Buffer {
  const bytes = Buffer.alloc(4 * text.length);
  for (let at = 0; at < text.length; at++) {
    if (order === 'little') bytes.writeUInt32LE(text.charCodeAt(at), 4 * at);
    else bytes.writeUInt32BE(text.charCodeAt(at), 4 * at);
  }
  return bytes;
}

test('IM6 SO5 a compressed file, a spreadsheet, and one in another encoding fail with what to do', async () => {
  const text = lines([{ id: 'ann' }]);
  for (const [bytes, reason] of [
    [gzipSync(text), 'it is compressed: unpack it first'],
    [
      Buffer.from('PK\u0003\u0004rest'),
      'it is a ZIP archive, as spreadsheets (.xlsx, .ods) are: save the sheet as CSV, or unpack the archive',
    ],
    [Buffer.from(`\uFEFF${text}`, 'utf16le'), 'it is UTF-16: save it as UTF-8'],
    [Buffer.from(text, 'utf16le').swap16(), 'it is UTF-16: save it as UTF-8'],
    [utf32(text, 'little'), 'it is UTF-32: save it as UTF-8'],
    [utf32(text, 'big'), 'it is UTF-32: save it as UTF-8'],
    [utf32(`\uFEFF${text}`, 'little'), 'it is UTF-32: save it as UTF-8'],
    [utf32(`\uFEFF${text}`, 'big'), 'it is UTF-32: save it as UTF-8'],
  ] as const) {
    for (const size of [1, 3, 1_000]) {
      const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
      const { task } = await new ImportBench({ text: parts }).run();
      assert.deepEqual([task.state, task.result?.reason], ['analyze_failed', reason]);
    }
  }
});

test('IM1 a role that was created and the id of a hard-deleted user, where it may be used again, are no errors', async () => {
  const bench = new ImportBench({ text: lines([{ id: 'gone' }, { id: 'b', role: 'boss' }]), reuseHardDeleted: true });
  bench.bench.run({ kind: 'docs', changes: [{ kind: 'role', id: 'boss', doc: { name: 'boss', created_at: 1, updated_at: 1 } }] });
  bench.bench.upsert([{ id: 'gone' }]);
  bench.bench.delete('gone', 'hard');
  const { task } = await bench.run();
  assert.equal(stepsOf(task).includes('analyzing>analyzed'), true, JSON.stringify(task.result));
});

test('IM1 a file that is empty, cut or gone fails the analysis with its reason', async () => {
  for (const [text, reason, users] of [
    ['', /^there is no item in the file$/, 0],
    [`[${JSON.stringify({ type: 'user', item: { id: 'a' } })},`, /./, 1],
    [undefined, /^the uploaded file is no longer there$/, undefined],
  ] as const) {
    const { task, result, batches } = await new ImportBench({ text }).run();
    assert.deepEqual([task.state, batches], ['analyze_failed', []]);
    assert.match(String(result.reason), reason);
    assert.equal(result.users, users);
  }
});

test('IM4 a file that is gone after its analysis fails the import and keeps what is known of it', async () => {
  const bench = new ImportBench({ text: lines(many(3)) });
  bench.put({ ...bench.task, state: 'importing', result: { users: 3, done: 2, created: 2 } });
  bench.lose();
  const { task, result } = await bench.run();
  assert.equal(task.state, 'import_failed');
  assert.deepEqual(result, { users: 3, done: 2, created: 2, reason: 'the uploaded file is no longer there' });
});

test('IM2 a user that the directory refuses keeps nobody out, and is in exactly one count', async () => {
  const users = [...many(120), { id: 'thief', name: 'Taken' }, ...many(130).slice(120)];
  const bench = new ImportBench({ text: lines(users) });
  bench.bench.upsert([
    { id: 'owner', name: 'taken' },
    { id: 'u5', name: 'User 5' },
    { id: 'u6', name: 'Old' },
  ]);
  bench.bench.settings({ enforce_unique_usernames: 'app' });
  const { task, result } = await bench.run();
  assert.equal(task.state, 'import_failed');
  const { errors, ...counts } = result;
  assert.deepEqual(counts, { users: 131, done: 131, created: 128, updated: 1, unchanged: 1, failed: 1 });
  assert.deepEqual(
    (errors as { item: number; id: string; code: number }[]).map(({ item, id, code }) => [item, id, code]),
    [[121, 'thief', 6]],
  );
  assert.equal(bench.bench.user('u129').name, 'User 129');
});

test('IM3 insert leaves existing users, upsert replaces them, merge_custom merges their custom data', async () => {
  for (const [setup, custom, counts] of [
    [{ mode: 'insert' }, { a: 1, b: 1 }, [1, 0, 1]],
    [{ mode: 'upsert' }, { b: 2 }, [1, 1, 0]],
    [{ mode: 'upsert', merge_custom: false }, { b: 2 }, [1, 1, 0]],
    [{ mode: 'upsert', merge_custom: true }, { a: 1, b: 2 }, [1, 1, 0]],
  ] as const) {
    const bench = new ImportBench({ text: lines([{ id: 'ann', b: 2 }, { id: 'bob' }]), ...setup });
    bench.bench.upsert([{ id: 'ann', custom: { a: 1, b: 1 } }]);
    const { result } = await bench.run();
    assert.deepEqual(bench.bench.user('ann').custom, custom);
    assert.deepEqual([result.created, result.updated, result.unchanged], counts, JSON.stringify(setup));
  }
});

test('IM4 an import that is stopped says how far it is, and goes on from there', async () => {
  const bench = new ImportBench({ text: lines(many(250)) });
  const stop = new AbortController();
  bench.onBatch = (index) => {
    if (index === 1) stop.abort();
  };
  await bench.run(stop.signal);
  assert.equal(bench.task.state, 'importing');
  assert.deepEqual(bench.result, { users: 250, done: 100, created: 100, updated: 0, unchanged: 0, failed: 0 });
  bench.onBatch = () => {};
  await bench.run();
  assert.deepEqual(bench.batches, [100, 100, 50], 'nothing is sent twice');
  assert.deepEqual(stepsOf(bench.task), FULL);
  assert.deepEqual(bench.result, { users: 250, done: 250, created: 250, updated: 0, unchanged: 0, failed: 0 });
});

test('IM4 JB4 while the storage of the file is away the import waits, and then goes on from there', async () => {
  const bench = new ImportBench({ text: lines(many(250)) });
  bench.awayAfter = 10;
  await assert.rejects(bench.run(), BlobsUnavailable);
  assert.equal(bench.task.state, 'analyzing', 'it did not fail');
  bench.put({ ...bench.task, state: 'importing', result: { users: 250 } });
  bench.awayAfter = 230;
  await assert.rejects(bench.run(), BlobsUnavailable);
  assert.equal(bench.task.state, 'importing', 'it did not fail');
  const { created, failed, errors } = bench.result;
  const done = Number(bench.result.done);
  assert.ok(done >= 100 && done <= 230, `${done}`);
  assert.deepEqual([created, failed, errors], [done, 0, undefined]);
  bench.awayAfter = undefined;
  await bench.run();
  assert.equal(bench.task.state, 'completed');
  assert.deepEqual(bench.result, { users: 250, done: 250, created: 250, updated: 0, unchanged: 0, failed: 0 });
});

test('IM4 after a kill, users after the last saved progress are imported again, which changes nothing', async () => {
  const bench = new ImportBench({ text: lines(many(300)) });
  // The second batch ends too soon after the first for its progress to be saved.
  bench.onBatch = async (index) => {
    bench.batchMs = index === 1 ? 1_000 : 0;
    if (index === 3) await new Promise(() => {});
  };
  void bench.work.run(ID, never);
  while (bench.batches.length < 3) await new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; turn < 1_000 && bench.result.done !== 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([bench.result.done, bench.result.created, bench.bench.directory.size], [100, 100, 200]);
  bench.onBatch = () => {};
  await bench.run();
  assert.equal(bench.task.state, 'completed');
  assert.deepEqual(bench.result, { users: 300, done: 300, created: 200, updated: 0, unchanged: 100, failed: 0 });
});

test('IM14 progress is stored at most once a second, and never goes back', async () => {
  const bench = new ImportBench({ text: lines(many(1_000)) });
  bench.batchMs = 400;
  await bench.run();
  const [beginning, ...progress] = bench.stored.filter(({ state }) => state === 'importing').map(({ result }) => result?.done);
  assert.equal(beginning, undefined);
  // The last of four seconds ends with the import. Rows are read in slices of real time, so a batch may fall on either side of a second.
  assert.ok(progress.length === 2 || progress.length === 3, `${progress.length} times`);
  assert.deepEqual(
    progress,
    progress.toSorted((a, b) => Number(a) - Number(b)),
  );
  assert.ok(progress.every((done) => Number(done) % 100 === 0 && Number(done) > 0));
});

test('IM5 all errors are counted, the first hundred listed, and long reasons cut', async () => {
  const long = lines([
    { id: 'u', created_at: 'x', ...Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`online${n}`, 1])), online: 'x'.repeat(400) },
  ]);
  const { result } = await new ImportBench({ text: `${long}${'x\n'.repeat(150)}` }).run();
  const errors = result.errors as { item: number; reason: string }[];
  assert.deepEqual([result.failed, errors.length, errors[1]?.item, errors.at(-1)?.item], [151, 100, 2, 100]);
  assert.ok(errors.every(({ reason }) => reason.length <= 301));
});

test('IM5 the errors of an import that goes on are added to those it has', async () => {
  const bench = new ImportBench({ text: lines([{ id: 'a', name: 'Taken' }, { id: 'b' }]) });
  bench.bench.upsert([{ id: 'owner', name: 'Taken' }]);
  bench.bench.settings({ enforce_unique_usernames: 'app' });
  const before = Array.from({ length: 99 }, (_, n) => ({ item: n, code: 4, reason: 'r' }));
  bench.put({ ...bench.task, state: 'importing', result: { users: 2, failed: 200, errors: before } });
  const { task, result } = await bench.run();
  const errors = result.errors as { id?: string }[];
  assert.deepEqual([task.state, result.failed, errors.length, errors.at(-1)?.id], ['import_failed', 201, 100, 'a']);
});

test('IM12 after each batch the import leaves the directory to others for as long as the batch took, at most a second', async () => {
  for (const [batchMs, pause] of [
    [40, 40],
    [5_000, 1_000],
  ] as const) {
    const bench = new ImportBench({ text: lines(many(300)) });
    bench.batchMs = batchMs;
    await bench.run();
    assert.deepEqual(bench.slept, [pause, pause, pause]);
  }
});

test('IM2 a directory that cannot store anything for a moment is waited for; a mistake of the daemon is not repeated', async () => {
  const bench = new ImportBench({ text: lines(many(150)) });
  bench.onBatch = (index) => {
    if (index === 2 || index === 3) throw new RosterError('unavailable', 'no space');
  };
  await bench.run();
  assert.deepEqual([bench.task.state, bench.result.created, bench.batches], ['completed', 150, [100, 50, 50, 50]]);
  const broken = new ImportBench({ text: lines(many(1)) });
  broken.onBatch = () => {
    throw new TypeError('a mistake');
  };
  await broken.run().catch(() => {});
  assert.equal(broken.batches.length, 1);
  assert.notEqual(broken.task.state, 'completed');
});

test('JB2 an import is open until its end, and failing it depends on how far it was', async () => {
  for (const [state, isOpen, failed] of [
    ['uploaded', true, 'analyze_failed'],
    ['analyzing', true, 'analyze_failed'],
    ['analyzed', true, 'import_failed'],
    ['importing', true, 'import_failed'],
    ['completed', false, undefined],
    ['import_failed', false, undefined],
    ['analyze_failed', false, undefined],
  ] as const) {
    const bench = new ImportBench({ text: '' });
    const doc = { ...bench.task, state, result: { users: 7 } };
    bench.put(doc);
    assert.deepEqual([...bench.work.openIds()], isOpen ? [ID] : [], state);
    assert.equal(bench.work.isOpen({ kind: 'import', id: ID, doc }), isOpen, state);
    assert.equal(bench.work.isOpen({ kind: 'import', id: ID, doc: null }), false);
    if (failed === undefined) {
      await bench.run();
      assert.deepEqual(bench.stored, [], 'nothing happens to it any more');
      continue;
    }
    await bench.work.fail(ID, { type: 'internal', description: 'a mistake' });
    assert.deepEqual([bench.task.state, bench.result], [failed, { users: 7, reason: 'a mistake' }]);
  }
});
