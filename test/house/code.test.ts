/** HS2, HS4: what may stand in a source at all. */
import { test } from 'node:test';
import { cleanSources, pureInside } from '../support/house/code.ts';
import { finds, holds } from '../support/house/tree.ts';

test('HS2 the core and the protocol have no clock, no randomness and no I/O', () => holds(pureInside));

test('HS2 a clock, a random number and a timer are found, behind a text that looks like a comment too', () => {
  finds(
    pureInside,
    {
      'daemon/core/a.ts': "export const url = 'http://x'; export const now = Date.now();",
      'daemon/core/b.ts': '/** Not Date.now(), and no Math.random(). */\nexport const at = (now: number) => new Date(now);',
      'protocol/base/c.ts': "export const open = '/*'; setTimeout(() => Math.random(), 1); export const close = '*/';",
      'protocol/client/d.ts': 'export const now = Date.now();',
      'daemon/edge/e.ts': 'export const now = Date.now();',
    },
    ['daemon/core/a.ts uses Date.now', 'protocol/base/c.ts uses setTimeout'],
  );
});

test('HS4 named exports, no barrels but the entries of the package, nothing unfinished, no path of one machine', () => holds(cleanSources));

test('HS4 a default export, a barrel, an unfinished note and a path of one machine are found', () => {
  const home = ['', 'home', 'ann', 'rosterd'].join('/');
  finds(
    cleanSources,
    {
      'protocol/index.ts': "export { a } from './a.ts';",
      'store/a.ts': 'export default function a() {}',
      'store/b.ts': "export { log } from './log.ts';\nexport * from './lock.ts';",
      'store/c.ts': "import { log } from './log.ts';\nexport { log };",
      'test/d.ts': "// TODO: later\nexport const text = 'export default TODO';",
      'README.md': `it lies in ${home}; see https://example.com${home} and the path /users/ann`,
      'package.json': `{ "a": "${home}" }`,
    },
    [
      'store/a.ts has a default export',
      'store/b.ts hands on log of another file',
      'store/b.ts hands on * of another file',
      'store/c.ts hands on log of another file',
      'test/d.ts:1 has an unfinished note',
      `README.md names ${home.slice(0, 9)}, a path of one machine`,
      `package.json names ${home.slice(0, 9)}, a path of one machine`,
    ],
  );
});
