/** A PgBouncer in transaction mode before a PostgreSQL. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { eventually } from '../eventually.ts';
import { PG_PASSWORD, PG_USER } from '../sync/postgres.ts';

/** Its port. It ends after the test. */
export async function startPgBouncer(t: TestContext, path: string, postgresPort: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-bouncer-'));
  const isRoot = process.getuid?.() === 0;
  const port = await freePort();
  await writeFile(join(folder, 'users.txt'), `"${PG_USER}" "${PG_PASSWORD}"\n`);
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    `[databases]
postgres = host=127.0.0.1 port=${postgresPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${folder}/users.txt
pool_mode = transaction
ignore_startup_parameters = extra_float_digits
`,
  );
  await chmod(folder, 0o755);
  // It must not run as root.
  if (isRoot) execFileSync('chown', ['-R', 'postgres', folder]);
  const child = spawn(path, [...(isRoot ? ['-u', 'postgres'] : []), join(folder, 'pgbouncer.ini')], { stdio: 'ignore' });
  t.after(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await rm(folder, { recursive: true, force: true });
  });
  await eventually(async () => {
    assert.equal(child.exitCode, null, 'PgBouncer ended');
    return await isOpen(port);
  }, 'PgBouncer did not start');
  return port;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
