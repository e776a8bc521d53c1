/** OG1: changes say where they came from. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { originOf } from '../../../daemon/edge/http/acting.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Origin } from '../../../protocol/log/entry.ts';

describe('OG1 the origin of a request', () => {
  const long = 'x'.repeat(200);
  const cases: readonly [string, Parameters<typeof originOf>, Origin][] = [
    ['a server', [{ kind: 'server' }, undefined], { source: 'server' }],
    ['a server that names its client', [{ kind: 'server' }, 'php-7.2'], { source: 'server', client: 'php-7.2' }],
    ['a client', [{ kind: 'user', id: 'ann' }, ''], { source: 'client', by: 'ann' }],
    [
      'a client with a long name',
      [{ kind: 'user', id: 'ann' }, long],
      { source: 'client', by: 'ann', client: long.slice(0, LIMITS.clientNameChars) },
    ],
    ['nobody known', [{ kind: 'anonymous' }, undefined], { source: 'client' }],
  ];
  for (const [name, [caller, client], origin] of cases) {
    it(name, () => assert.deepEqual(originOf(caller, client), origin));
  }
});
