/** TR4, TR5: what a mutation run does, on a planted source and its test. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { instrumented, mutantsOf } from '../mutate/mutants.ts';
import { isTolerated, outdated, summaryOf } from '../mutate/outcome.ts';

const root = resolve(import.meta.dirname, '../..');
const place = `.test-build/${process.pid}/mutate`;
after(() => rmSync(join(root, place), { recursive: true, force: true }));

const SOURCE = `/** Whether this is an age of age: 18 === 18. */
export function isOfAge(age: number): boolean {
  return age >= 18;
}

export function label(count: number): string {
  return count > 9 ? \`many\` : \`few\`;
}

export function half(count: number): number {
  return count / 2;
}
`;

const TEST = `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOfAge, label } from './source.ts';

test('the day itself', () => assert.deepEqual([isOfAge(17), isOfAge(18)], [false, true]));
test('far from the bound', () => assert.deepEqual([label(1), label(50)], ['few', 'many']));
`;

test('TR4 each change is tried alone: those that a test notices count, the others are named', () => {
  mkdirSync(join(root, place), { recursive: true });
  writeFileSync(join(root, place, 'source.ts'), SOURCE);
  writeFileSync(join(root, place, 'planted.test.ts'), TEST);
  const { NODE_TEST_CONTEXT: _, ROSTERD_TEST_BUILD: __, ...env } = process.env;
  const runner = ['--import', import.meta.resolve('tsx'), 'test/mutate/run.ts', `${place}/source.ts`, '--tests', place, '--seed', '1'];
  const { status, stdout, stderr } = spawnSync(process.execPath, runner, { cwd: root, env, encoding: 'utf8' });
  assert.equal(status, 1, stdout + stderr);
  assert.match(stdout, /tried +noticed +survived +unreached +tolerated +refused +share/);
  assert.match(stdout, /source\.ts +11 +6 +2 +2 +0 +1 +60\.0 % {2}below 85 %/);
  const named = [...stdout.slice(stdout.indexOf('nobody noticed')).matchAll(/source\.ts:(\d+) {2}(.+)\n {4}in: (.+) {2}\((\w+)\)/g)];
  assert.deepEqual(named.map(([, line, change, text, fate]) => [line, change, text, fate]).sort(), [
    ['11', '2 → 3', 'return count / 2;', 'unreached'],
    ['11', 'count / 2 → count * 2', 'return count / 2;', 'unreached'],
    ['7', '9 → 10', 'return count > 9 ? `many` : `few`;', 'survived'],
    ['7', 'count > 9 → count >= 9', 'return count > 9 ? `many` : `few`;', 'survived'],
  ]);
});

/** The changes of a text, as a run names them. */
const changes = (text: string): string[] => mutantsOf('a.ts', text).map(({ change }) => change);

test('TR4 behaviour is changed, and neither types, imports, keys nor the texts for programmers', () => {
  assert.deepEqual(
    changes(`import x from 'x';
type A = 'a' | 1;
const b: { 'c': 1 } = { d: x } as { readonly d: 1 };
throw new TypeError('text');
this.name = 'NameOfAnError';
const e = list[0] ?? 0;`),
    ["throw new TypeError('text'); → nothing", '0 → 1'],
  );
  assert.deepEqual(changes('await f(a?.b);'), ['await f(a?.b); → nothing', 'await f(a?.b) → f(a?.b)', 'a?.b → a.b']);
  const last = 'return await f();';
  assert.deepEqual(changes(`async function g() { ${last} }`), ['await f() → undefined'], 'who waits for g waits for f');
  assert.deepEqual(changes(`async function g() { try { ${last} } catch {} }`), ['await f() → f()', 'await f() → undefined']);
  assert.deepEqual(changes('const g = async () => await f(await h());'), ['await h() → h()']);
  assert.deepEqual(changes('function f() { if (a && !b) return; }'), [
    ...['a && !b → a || !b', 'a && !b → false', 'a && !b → true', '!b → b', 'return; → nothing'],
  ]);
  assert.deepEqual(changes('x.some(f); i += 1;'), [
    ...['x.some(f); → nothing', 'x.some(f) → x.every(f)', 'i += 1; → nothing', 'i += 1 → i -= 1', '1 → 2'],
  ]);
});

test('TR4 a source with all its changes in it does what it did, and what the chosen one says', () => {
  const text = 'if (a) b.push(a < 2 && a + 1 < 9); else b.push(-a);';
  const mutants = mutantsOf('a.ts', text).map((mutant, id) => ({ ...mutant, id }));
  const run = new Function('$mutant', 'a', 'b', instrumented(text, mutants));
  const resultOf = (active: number, a: number): unknown[] => {
    const b: unknown[] = [];
    run((id: number) => id === active, a, b);
    return b;
  };
  const ask = (change: string): number => mutants.findIndex((mutant) => mutant.change === change);
  assert.deepEqual([resultOf(-1, 1), resultOf(-1, 8), resultOf(-1, 0)], [[true], [false], [-0]]);
  assert.deepEqual(resultOf(ask('a → false'), 1), [-1]);
  assert.deepEqual(resultOf(ask('a < 2 → a <= 2'), 2), [true]);
  assert.deepEqual(resultOf(ask('b.push(a < 2 && a + 1 < 9); → nothing'), 1), []);
  assert.deepEqual(resultOf(ask('b.push(-a); → nothing'), 0), []);
});

test('TR5 an area below its bound fails the run; a survivor with a reason does not count, and is found wherever its line is', () => {
  const [first, ...rest] = mutantsOf('a.ts', '\n\nif (a < 1) b();');
  assert.ok(first !== undefined);
  const reason = { file: 'a.ts', text: 'if (a < 1) b();', change: first.change, reason: 'it makes no difference' };
  assert.equal(isTolerated([reason], first), true);
  assert.ok(rest.every((mutant) => !isTolerated([reason], mutant)));
  assert.equal(isTolerated([{ ...reason, file: 'b.ts' }], first), false);
  assert.deepEqual(outdated([reason], [first]), []);
  assert.deepEqual(outdated([reason], rest), [reason]);
  const tried = (fates: string): Parameters<typeof summaryOf>[0] =>
    [...fates].map((fate) => ({ area: 'a', mutant: first, fate: fate === 'n' ? 'noticed' : fate === 't' ? 'tolerated' : 'survived' }));
  assert.deepEqual(
    ['nnns', 'nnnst', 'nnss', 't', ''].map((fates) => summaryOf(tried(fates), 75).passed),
    [true, true, false, true, false],
  );
});
