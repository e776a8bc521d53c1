/** LO1–LO3: the log of the daemon, on a pipe that is read only when the test says so, and on a device that is always full. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogDestination } from '../../../daemon/cli/serve/log-destination.ts';
import { eventually } from '../../support/eventually.ts';
import { nodeOptions, programFile } from '../../support/run/program.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rosterd-log-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A pipe that nobody reads until `read` is called. */
async function pipe(t: TestContext) {
  const path = join(await folder(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => closeSync(fd));
  const buffer = Buffer.alloc(1024 * 1024);
  const read = (): string => {
    try {
      return buffer.toString('utf8', 0, readSync(fd, buffer));
    } catch {
      return '';
    }
  };
  const readUntil = async (isAll: (text: string) => boolean): Promise<string> => {
    let text = '';
    await eventually(() => {
      for (let part = read(); part !== ''; part = read()) text += part;
      return isAll(text);
    });
    return text;
  };
  return { fd, read, readUntil };
}

const line = (n: number, filling = ''): string => `{"n":${n},"é":"${filling}"}\n`;

test('LO1 lines are gathered, and come whole and in order', async (t) => {
  const { fd, read, readUntil } = await pipe(t);
  const log = new LogDestination(fd);
  const lines = Array.from({ length: 500 }, (_, n) => line(n, 'x'.repeat(n)));
  log.write(line(-1));
  assert.equal(read(), '', 'nothing is written while the caller waits');
  for (const text of lines) log.write(text);
  assert.equal(await readUntil((text) => text.endsWith(line(499, 'x'.repeat(499)))), [line(-1), ...lines].join(''));
});

test('LO2 a reader that does not read costs a bounded number of lines, and is told how many it has not seen', async (t) => {
  const { fd, readUntil } = await pipe(t);
  const log = new LogDestination(fd);
  const filling = 'x'.repeat(10_000);
  for (let n = 0; n < 1_000; n++) log.write(line(n, filling));
  await sleep(20);
  // At least so many are kept; what comes after them is read with the rest.
  const kept = await readUntil((text) => text.split('\n').length > 350);
  await sleep(100);
  log.write(line(1_000));
  log.write(line(1_001));
  const seen = (kept + (await readUntil((text) => text.endsWith(line(1_001)))))
    .trimEnd()
    .split('\n')
    .map((text): { n?: number; lines?: number } => JSON.parse(text));
  const loss = seen.findIndex(({ lines }) => lines !== undefined);
  assert.ok(loss > 350 && loss < 450, `${loss} lines of ten thousand characters were kept`);
  assert.deepEqual(
    seen.slice(0, loss).map(({ n }) => n),
    Array.from({ length: loss }, (_, n) => n),
  );
  assert.equal(seen[loss]?.lines, 1_000 - loss);
  assert.deepEqual(
    seen.slice(loss + 1).map(({ n }) => n),
    [1_000, 1_001],
  );
});

test('LO3 what waits is written at the end', async (t) => {
  const path = join(await folder(t), 'log');
  const log = new LogDestination(openSync(path, 'w'));
  log.write(line(1));
  log.write(line(2));
  log.flushNow();
  assert.equal(readFileSync(path, 'utf8'), line(1) + line(2));
});

const isThere = existsSync('/dev/full');
test('LO1 LO3 a process whose log cannot be written goes on, and ends', { skip: isThere ? false : 'there is no /dev/full here' }, () => {
  const module = JSON.stringify(programFile('daemon/cli/serve/log-destination.ts'));
  const program = `
    import { openSync } from 'node:fs';
    import { LogDestination } from ${module};
    const log = new LogDestination(openSync('/dev/full', 'w'));
    process.once('exit', () => log.flushNow());
    for (let n = 0; n < 1_000; n++) log.write('x'.repeat(10_000));
    setTimeout(() => console.log('still there'), 600);
  `;
  const args = [...nodeOptions(), '--input-type=module', '--eval', program];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  assert.deepEqual({ status, stdout }, { status: 0, stdout: 'still there\n' }, stderr);
});

test('LO5 routine lines that are held wait for the release or for a warning, and come in order', async (t) => {
  const { fd, readUntil } = await pipe(t);
  const log = new LogDestination(fd, (text) => text.toUpperCase());
  const entry = (level: number, n: number): string => `{"level":${level},"n":"x${n}"}\n`;
  log.hold();
  log.write(entry(30, 1));
  log.write(entry(20, 2));
  const other = new LogDestination(fd);
  other.write(entry(30, 0));
  assert.equal(
    await readUntil((text) => text.length > 0),
    entry(30, 0),
    'what was written later elsewhere comes, and what is held does not',
  );
  log.write(entry(40, 3));
  const first = [entry(30, 1), entry(20, 2), entry(40, 3)].join('').toUpperCase();
  assert.equal(await readUntil((text) => text.length >= first.length), first);
  log.hold();
  log.write(entry(30, 4));
  log.release();
  assert.equal(await readUntil((text) => text.length > 0), entry(30, 4).toUpperCase());
});
