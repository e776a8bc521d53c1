/** HS1: who may import whom (the table below). A rule that saw no files proves nothing, so that is a failure too. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

/** For each folder: what its files may import, besides themselves. Folders by path prefix, packages by name. */
const RULES: readonly { readonly folder: string; readonly may: readonly (string | RegExp)[] }[] = [
  { folder: 'protocol/client/', may: [/^protocol\//, 'eventemitter3'] },
  { folder: 'protocol/', may: [/^typebox(\/|$)/] },
  { folder: 'store/', may: [/^protocol\//, /^node:/, /^lowdb(\/|$)/] },
  { folder: 'daemon/base/', may: [/^node:/] },
  { folder: 'daemon/core/', may: [/^protocol\//] },
  {
    folder: 'daemon/pipeline/',
    may: [/^daemon\/base\//, /^daemon\/core\//, /^protocol\//, 'store/log.ts', 'store/snapshot.ts', /^node:/, 'p-limit'],
  },
  {
    folder: 'daemon/edge/',
    may: [
      /^daemon\/base\//,
      /^daemon\/pipeline\//,
      /^daemon\/core\//,
      /^protocol\//,
      /^node:/,
      /^typebox(\/|$)/,
      'fastify',
      'ws',
      'socket.io',
      'pino',
      'rate-limiter-flexible',
    ],
  },
  { folder: 'daemon/sync/', may: [/^daemon\/base\//, /^protocol\//, /^node:/, 'p-limit'] },
  { folder: 'daemon/jobs/', may: [/^daemon\/base\//, /^daemon\/sync\//, /^daemon\/pipeline\//, /^protocol\//, /^node:/, 'p-limit'] },
  { folder: 'daemon/cli/', may: [/./] },
  { folder: 'daemon/main.ts', may: [/./] },
];

function sourceFiles(): string[] {
  return ['protocol', 'store', 'daemon'].flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(top, name)),
  );
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found = [...text.matchAll(/^(?:import|export)\b[^;]*?\bfrom\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm)];
  return found.map((match) => {
    const target = match[1] ?? match[2] ?? match[3] ?? '';
    return target.startsWith('.') ? relative(root, resolve(join(root, dirname(file)), target)) : target;
  });
}

test('HS1 imports follow one direction', () => {
  const files = sourceFiles();
  assert.ok(files.length > 40, `only ${files.length} files were seen`);
  const wrong: string[] = [];
  let imports = 0;
  for (const file of files) {
    const rule = RULES.find(({ folder }) => file.startsWith(folder));
    assert.ok(rule, `${file} is in no folder that the rules know`);
    for (const target of importsOf(file)) {
      imports++;
      const isOwn = rule.folder.endsWith('/') && target.startsWith(rule.folder) && !target.startsWith('protocol/client/');
      if (!isOwn && !rule.may.some((allowed) => (typeof allowed === 'string' ? allowed === target : allowed.test(target)))) {
        wrong.push(`${file} imports ${target}`);
      }
    }
  }
  assert.ok(imports > 100, `only ${imports} imports were seen`);
  assert.deepEqual(wrong, []);
});

test('HS1 nothing imports daemon/main.ts', () => {
  for (const file of sourceFiles()) assert.ok(!importsOf(file).includes('daemon/main.ts'), `${file} imports daemon/main.ts`);
});

test('HS2 the core and the protocol have no clock, no randomness and no I/O', () => {
  for (const file of sourceFiles().filter(
    (name) => name.startsWith('daemon/core/') || (name.startsWith('protocol/') && !name.startsWith('protocol/client/')),
  )) {
    const code = readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    const found =
      /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.|\bprocess\.|\bconsole\.|\bBuffer\b|\bcrypto\b|\bsetTimeout\b|\bsetInterval\b/.exec(
        code,
      );
    assert.equal(found?.[0], undefined, `${file} uses ${found?.[0]}`);
  }
});

const FILE_LINES = 420;
const FUNCTION_LINES = 90;

test('HS3 files and functions stay readable', () => {
  for (const file of sourceFiles()) {
    const lines = readFileSync(join(root, file), 'utf8').split('\n');
    assert.ok(lines.length <= FILE_LINES, `${file} has ${lines.length} lines; at most ${FILE_LINES} are allowed`);
    let start = -1;
    for (const [index, line] of lines.entries()) {
      // A function or method that opens at the top level or inside a class, and the brace that closes it at the same depth.
      if (/^( {2})?(export )?(async )?(static )?(function\b|#?\w+\(.*\).*\{$|private |constructor\()/.test(line) && line.endsWith('{'))
        start = index;
      if (/^( {2})?\}$/.test(line) && start >= 0) {
        assert.ok(
          index - start <= FUNCTION_LINES,
          `${file}:${start + 1} is ${index - start} lines long; at most ${FUNCTION_LINES} are allowed`,
        );
        start = -1;
      }
    }
  }
});

test('HS4 no default exports, no barrels but the public entry, no session traces', () => {
  for (const file of sourceFiles()) {
    const text = readFileSync(join(root, file), 'utf8');
    assert.ok(!/^export default /m.test(text), `${file} has a default export`);
    assert.ok(!/\b(TODO|FIXME|XXX)\b/.test(text), `${file} has an unfinished note`);
  }
});
