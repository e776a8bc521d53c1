/** CU6: the configuration of the proxy of a cluster. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { haproxyConfig } from '../../../daemon/cli/cluster/proxy.ts';

test('CU6 only the addresses differ from the file that is offered', async () => {
  const offered = await readFile(join(import.meta.dirname, '../../../daemon/deploy/haproxy.cfg'), 'utf8');
  const addresses = ['127.0.0.1:8811', '127.0.0.1:8812', '127.0.0.1:8813'];
  assert.equal(haproxyConfig({ listen: '127.0.0.1:8800', nodes: addresses }), offered);
  const other = haproxyConfig({ listen: '127.0.0.1:9', nodes: ['10.0.0.1:1', '10.0.0.2:2'] });
  assert.deepEqual(
    other.split('\n').filter((line) => /^ *(bind|server) /.test(line)),
    ['    bind 127.0.0.1:9', ...Array(3).fill(['    server node-1 10.0.0.1:1', '    server node-2 10.0.0.2:2']).flat()],
  );
});
