/** CU5: a cluster that cannot start. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { runCluster } from '../../../daemon/cli/cluster/command.ts';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';

test('CU5 without PostgreSQL, or with one that does not work, it says so and leaves nothing behind', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const said = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      said[name] += text;
      return true;
    },
    drained: () => Promise.resolve(),
    isTTY: false,
  });
  const io = {
    stdin: Readable.from([]),
    stdout: output('stdout'),
    stderr: output('stderr'),
    env: {},
    cwd,
    now: Date.now,
    onInterrupt: () => () => {},
  };
  const flags = { nodes: 1, port: await freePort() };
  assert.equal(await runCluster({ ...flags, data: 'cluster' }, io, async () => undefined), 1);
  assert.match(said.stderr, /^rosterd: PostgreSQL is not installed here \(initdb was not found\): .*apt-get install postgresql\n$/);
  assert.deepEqual([said.stdout, await readdir(cwd)], ['', []]);
  // Its temporary folder is made here, where nobody else makes any.
  const { TMPDIR } = process.env;
  process.env.TMPDIR = cwd;
  t.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  await chmod(cwd, 0o711);
  assert.equal(await runCluster(flags, io, async () => '/nowhere'), 1);
  assert.match(said.stderr, /\nrosterd: initdb failed: spawn \/nowhere\/initdb ENOENT\n$/);
  assert.deepEqual(await readdir(cwd), []);
});
