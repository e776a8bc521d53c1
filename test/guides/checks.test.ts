/** GI2–GI4: what cannot be typed where tests run: commands for servers, configurations, and the types of programs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Block, blocksOf, difference } from '../support/guides/blocks.ts';
import { compilerErrors, JUDGES, judge, missingJudges, unknownCommands } from '../support/guides/checks.ts';

const GUIDES = join(import.meta.dirname, '../../daemon/deploy/guides');
const missing = await missingJudges();
const withJudges = missing.length > 0 ? { skip: `${missing.join(', ').toUpperCase()} IS NOT ON THIS MACHINE` } : { timeout: 120_000 };

async function guides(): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(GUIDES)).sort();
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(GUIDES, name), 'utf8')] as const)));
}

async function allBlocks(): Promise<readonly (Block & { readonly guide: string })[]> {
  return [...(await guides())].flatMap(([guide, text]) => blocksOf(text).map((block) => ({ ...block, guide })));
}

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-guide-check-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const block = (language: string, path: string, text: string): Block => ({ kind: 'file', language, path, text, line: 1 });

test('GI1 a block is run, shown, saved or for elsewhere, and anything else is refused with its line', () => {
  const guide = '# A\n\n```sh\nls\n```\n\n```text\na\n```\n\n```sh on a server, as root\nreboot\n```\n\n```js lib/a.mjs\n1;\n```\n';
  assert.deepEqual(
    blocksOf(guide).map(({ kind, path, line }) => [kind, path, line]),
    [
      ['run', '', 4],
      ['shown', '', 8],
      ['elsewhere', '', 12],
      ['file', 'lib/a.mjs', 16],
    ],
  );
  for (const head of ['', 'js', 'sh as root', 'text here'])
    assert.throws(() => blocksOf(`a\n\`\`\`${head}\nb\n\`\`\`\n`), /^Error: line 2: ```.* is no block that a guide can have/);
});

test('GI1 what is printed is compared line by line; … stands for what differs', () => {
  for (const [shown, printed] of [
    ['a\nb\n', 'a\nb\n'],
    ['a …\n', 'a 17 x  \n\n'],
    ['…\nb\n…\n', 'a\na\nb\nc\n'],
    ['a\n…\nb\n', 'a\nb\n'],
    ['(a) [1.5] $x\n', '(a) [1.5] $x\n'],
  ] as const)
    assert.equal(difference(shown, printed), undefined, shown);
  for (const [shown, printed, said] of [
    ['a\nb\n', 'a\nc\n', 'no line is like: b'],
    ['a\n', 'a\nb\n', 'there is more than the guide shows'],
    ['1.5\n', '125\n', 'no line is like: 1.5'],
    ['a\n', '', 'no line is like: a'],
    ['…\nb\n', 'a\nbc\n', 'no line is like: b'],
  ] as const)
    assert.equal(difference(shown, printed), said, shown);
});

test('GI2 commands for elsewhere are shell, and every command and option of rosterd exists', async () => {
  const elsewhere = (await allBlocks()).filter(({ kind }) => kind === 'elsewhere');
  assert.ok(elsewhere.length >= 3, `${elsewhere.length} blocks`);
  for (const { guide, line, text } of elsewhere) {
    const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' });
    assert.equal(status, 0, `${guide}:${line}: ${stderr}`);
  }
  for (const [name, text] of await guides()) assert.deepEqual(unknownCommands(text), [], name);
});

test('GI2 a command and an option that do not exist are found', () => {
  const text =
    '/usr/bin/rosterd serve --config a --lisen b\n`rosterd sync plan a.csv --missing x` rosterd dance\nx=$(rosterd token "a b" --exp 1h)\n';
  assert.deepEqual(unknownCommands(text), ['rosterd serve --config a --lisen b', 'rosterd dance']);
});

test('GI3 nginx, HAProxy, systemd and Prometheus accept what the guides give them', withJudges, async (t) => {
  const folder = await folderFor(t);
  const judged = (await allBlocks()).filter(({ kind, language }) => kind === 'file' && JUDGES[language] !== undefined);
  assert.deepEqual([...new Set(judged.map(({ language }) => language))].sort(), Object.keys(JUDGES).sort());
  for (const [at, each] of judged.entries())
    await judge(each, join(folder, String(at))).catch((error: Error) => assert.fail(`${each.guide}:${each.line}: ${error.message}`));
});

test('GI3 each of them finds a mistake', withJudges, async (t) => {
  const folder = await folderFor(t);
  for (const [at, each] of [
    block('nginx', 'a.conf', 'server { listne 80; }\n'),
    block('haproxy', 'a.cfg', 'frontend a\n    bnid :1\n'),
    block('ini', 'a.timer', '[Timer]\nOnCalendar=often\n'),
    block('ini', 'b.service', '[Service]\nExecStart=/bin/sh\nRestrat=always\n'),
    block('yaml', 'a.yml', 'scrape_config: []\n'),
  ].entries())
    await assert.rejects(judge(each, join(folder, String(at))), each.path);
});

test('GI4 TypeScript of the guides compiles as strictly as a project can ask', { timeout: 240_000 }, async (t) => {
  const programs = (await allBlocks()).filter(({ kind, language }) => kind === 'file' && language === 'ts');
  assert.ok(programs.length > 0);
  const wrong = block('ts', 'planted.ts', "import { RosterClient } from 'rosterd/client';\nnew RosterClient({ url: 1 });\n");
  const [first = '', ...others] = await compilerErrors([...programs, wrong], await folderFor(t));
  assert.match(first, /^planted\.ts\(2,/, 'the planted mistake is found');
  assert.deepEqual(others, []);
});

test('GI5 every guide is short', async () => {
  for (const [name, text] of await guides())
    assert.ok(text.split('\n').length <= 151, `${name} has ${text.split('\n').length - 1} lines, of at most 150`);
});
