/** Ports that nobody else is given. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';

test('CU7 a free port is below those that the system gives to connections, and no one is given it again, in no process', async (t) => {
  const ports = await Promise.all(Array.from({ length: 50 }, freePort));
  assert.equal(new Set(ports).size, ports.length);
  assert.ok(
    ports.every((port) => port >= 10_000 && port < 32_768),
    String(ports),
  );
  // Whatever is drawn in this process and in another one: first a port that is taken over UDP or TCP, then a free one.
  const [taken = 0] = ports;
  const server = createServer().listen(taken + 1, '127.0.0.1');
  t.after(() => server.close());
  const drawn = (port: number) => String((port - 10_000) / 22_768);
  const draws = `const draws = [${[taken, taken + 1, 31_000, 31_001, 31_002].map(drawn)}]; Math.random = () => draws.shift() + 1e-9;`;
  const script = `${draws} const { freePort } = await import('./daemon/cli/cluster/free-port.ts'); console.log(await freePort());`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  assert.ok(Number(stdout) >= 31_000, stdout);
});
