/**
 * FM1, FM2, FM3, FM6: the commands of the README's beginning, taken from its text, in the order of a hurried reader: before
 * `npm ci`, before `npm start`, and then as they are meant. The packages are those of this tree, unless the long form is asked for.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { appendFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { Clone, type Typed, type Typing } from '../../support/clone.ts';
import { isLong, sized } from '../../support/long.ts';

const README = resolve(import.meta.dirname, '../../../README.md');

/** The commands of the first blocks of shell commands, without their remarks. */
async function commandBlocks(): Promise<string[][]> {
  const text = await readFile(README, 'utf8');
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) =>
    block
      .split('\n')
      .map((line) => line.replace(/ +#.*$/, '').trim())
      .filter((line) => line !== ''),
  );
}

function started(t: TestContext, clone: Clone, command: string): Typing {
  const typing = clone.type(command);
  t.after(() => typing.killAll('SIGKILL'));
  return typing;
}

/** The commands that the tests below type, in the order of the README. Fails when it begins with others. */
async function readmeCommands() {
  const [first = [], second = []] = await commandBlocks();
  assert.deepEqual(first, ['npm ci && npm run demo', 'npm start', 'npm test'], 'the README begins with what this is about');
  const [see = '', run = '', check = ''] = first;
  const [token = '', sync = '', watch = ''] = second;
  assert.match(token, /^npx rosterd token \w+$/);
  assert.match(sync, /\| npx rosterd sync -$/);
  assert.match(watch, /^npx rosterd watch$/);
  const [install = '', demo = ''] = see.split(' && ');
  return { install, demo, run, check, token, sync, watch };
}

let fresh: Promise<Clone> | undefined;
let installed: Promise<Typed> | undefined;
let remove: (() => Promise<void>) | undefined;
after(() => remove?.());

/** The clone that all of these tests use: building one takes longer than most of what they do with it. */
function theClone(): Promise<Clone> {
  fresh ??= Clone.make({
    after: (then) => {
      remove = then;
    },
  });
  return fresh;
}

/** Installs and builds the clone, the first time. */
async function install(clone: Clone): Promise<Typed> {
  installed ??= isLong ? clone.type((await readmeCommands()).install).finished : clone.borrowPackages();
  return await installed;
}

async function builtClone(): Promise<Clone> {
  const clone = await theClone();
  assert.equal((await install(clone)).code, 0);
  return clone;
}

// The first one: later, the clone is built.
test('FM1 FM6 a command of the README that is typed too early says what to do first', { timeout: 600_000 }, async (t) => {
  const { token, sync, watch } = await readmeCommands();
  const clone = await theClone();
  const typed = (command: string) => started(t, clone, command).finished;

  const uninstalled = await typed(token);
  assert.equal(uninstalled.code, 1, uninstalled.stderr);
  assert.match(uninstalled.stderr, /rosterd: it is not built yet\. Run this first, in .*:\n {2}npm ci\n/);
  assert.equal(uninstalled.stdout, '');

  const { code, stderr } = await install(clone);
  assert.equal(code, 0, stderr);
  assert.ok(existsSync(join(clone.folder, 'dist/daemon/main.js')), 'it is built');

  // Before the daemon was ever started. What npx remembers from the first attempt does not stand in the way.
  for (const command of sized([token], [token, sync, watch])) {
    const { code, stdout, stderr } = await typed(command);
    assert.equal(code, 2, `${command}: ${stderr}`);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /there is no .*credentials\.json: no daemon was started here yet\. Start one first \(npm start, or rosterd serve\)/,
    );
  }
  assert.ok(!existsSync(join(clone.folder, 'rosterd-data')), 'looking for it makes no data directory');
});

test('FM6 the commands of the README work in its order', { timeout: 600_000 }, async (t) => {
  const { demo, run, check, token, sync, watch } = await readmeCommands();
  const clone = (await builtClone()).with({ ROSTERD_LISTEN: `127.0.0.1:${await freePort()}` });
  const typed = (command: string) => started(t, clone, command).finished;

  // What it shows is the subject of readme.demo.test.ts.
  const seen = await typed(sized(`${demo} -- --help`, demo));
  assert.equal(seen.code, 0, seen.stdout + seen.stderr);
  assert.match(seen.stdout, sized(/show in a few seconds what rosterd does/, /nothing lost, nothing twice/));

  const daemon = started(t, clone, run);
  await daemon.says(/listens on/);
  assert.match((await typed(token)).stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const watching = started(t, clone, watch);
  await watching.says(/connected/);
  assert.equal((await typed(sync)).code, 0);
  await watching.says(/user\.updated +ann +created/);
  watching.killAll('SIGINT');
  await watching.gone();
  daemon.killAll('SIGINT');
  await daemon.gone();
  assert.ok(existsSync(join(clone.folder, 'rosterd-data/journal/clean')), daemon.stderr);

  // The tests themselves run elsewhere; that the command finds and runs some is enough here.
  const tested = isLong ? await typed(`${check} contract`) : undefined;
  assert.ok(tested === undefined || tested.code === 0, tested?.stdout);
});

async function textBelow(folder: string): Promise<string> {
  const names = await readdir(folder);
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('');
}

/** Sends the signal; `group`: as a terminal does, or a service manager. */
const SENDERS: Readonly<Record<string, (npm: number, signal: NodeJS.Signals) => void>> = {
  npm: (npm, signal) => process.kill(npm, signal),
  group: (npm, signal) => process.kill(-npm, signal),
};

test('FM3 a signal to npm start stops the daemon cleanly, and npm ends after it', { timeout: 300_000 }, async (t) => {
  const clone = (await builtClone()).with({ ROSTERD_LISTEN: '127.0.0.1:0' });
  const shells = ['sh', ...(isLong && existsSync('/bin/bash') ? ['bash'] : [])];
  for (const shell of shells)
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      for (const [name, send] of Object.entries(SENDERS)) {
        const what = `${signal} to ${name}, by ${shell}`;
        // A signal to npm alone has the longest way, and Ctrl-C comes twice.
        if (!isLong && name !== (signal === 'SIGTERM' ? 'npm' : 'group')) continue;
        // Without a shell in between, which a person has not either: it has become npm.
        const daemon = started(t, clone, `exec npm start --script-shell=${shell}`);
        await daemon.says(/listens on/);
        send(daemon.pid, signal);
        const { code, stderr } = await daemon.finished;
        assert.equal(code, 0, `${what}: ${stderr}`);
        assert.ok(daemon.isGone, `${what}: something was left behind when npm had ended`);
        assert.ok(existsSync(join(clone.folder, 'rosterd-data/journal/clean')), `${what}: the daemon was not stopped cleanly`);
      }
});

// The last one: it leaves the clone without its packages.
test('FM2 dist is built again exactly when it is not what the sources give', { timeout: 300_000 }, async () => {
  const clone = await builtClone();
  const at = (name: string): string => join(clone.folder, name);
  /** Whether `npm run build` made a new dist/. */
  const builds = async (): Promise<boolean> => {
    const before = (await stat(at('dist'))).ino;
    const { code, stderr } = await clone.type('npm run build').finished;
    assert.equal(code, 0, stderr);
    return (await stat(at('dist'))).ino !== before;
  };
  assert.equal(await builds(), false, 'nothing has changed');

  await appendFile(at('daemon/cli/version.ts'), 'globalThis.more = "another source";\n');
  assert.equal(await builds(), true, 'a source has changed');
  assert.ok((await textBelow(at('dist/daemon'))).includes('another source'), 'what changed is not in dist/daemon');

  await writeFile(at('protocol/another.ts'), 'export const another = 1;\n');
  assert.equal(await builds(), true, 'another branch');
  assert.match(await readFile(at('dist/protocol/another.js'), 'utf8'), /another = 1/);
  await rm(at('protocol/another.ts'));
  assert.equal(await builds(), true, 'a source is gone');
  assert.ok(!existsSync(at('dist/protocol/another.js')), 'what was made from it is gone too');

  await appendFile(at('daemon/console/style.css'), '.more { color: red }\n');
  assert.equal(await builds(), true, 'the page of the console has changed');
  assert.match(await readFile(at('dist/console/app.css'), 'utf8'), /\.more\{/);

  await rm(at('dist/daemon/main.js'));
  assert.equal(await builds(), true, 'dist is not whole');
  await writeFile(at('dist/daemon/main.js'), '');
  assert.equal(await builds(), true, 'a file of dist is damaged');

  await writeFile(at('daemon/cli/version.ts'), 'export const = ;\n');
  assert.notEqual((await clone.type('npm run build').finished).code, 0, 'what cannot be read fails');
  assert.ok(existsSync(at('dist/daemon/main.js')), 'and leaves dist as it was');
  // A folder in the long form, a link in the short one.
  await rm(at('node_modules'), { recursive: true });
  const withoutCompiler = await clone.type('npm start').finished;
  assert.equal(withoutCompiler.code, 1);
  assert.match(withoutCompiler.stderr, /the compiler is not installed/);
  assert.equal((await clone.type('npm run prepare').finished).code, 0, 'npm ci --omit=dev does not fail');
});
