/** HS13: exported names. */
import { test } from 'node:test';
import { uniqueNames } from '../support/house/names.ts';
import { finds, holds } from '../support/house/tree.ts';

test('HS13 an exported name stands for one thing', () => holds(uniqueNames));

test('HS13 a name that two files export is found, under whatever form, and one that hides in a new name too', () => {
  finds(
    uniqueNames,
    {
      'protocol/a.ts': 'export const Lane = 1;\nexport type Lane = 1;\nexport interface Link {}\nconst x = 1;\nexport { x as answer };',
      'store/b.ts': 'export class Link {}\nexport async function answer() {}\n// export const Lane = 2;\nconst Lane = 3;',
      'daemon/c.ts': "export type { Link as Lane, Link } from '../store/b.ts';\nexport const { deep: [Aside], other: Told } = read();",
      'daemon/d.ts': "export const Aside = `export const Told = 1`;\nexport * from './c.ts';",
      'test/e.ts': 'export const Lane = 5;',
    },
    [
      'Aside is exported by daemon/c.ts, daemon/d.ts',
      'Lane is exported by protocol/a.ts, daemon/c.ts (another name for what it hands on)',
      'Link is exported by protocol/a.ts, store/b.ts',
      'answer is exported by protocol/a.ts, store/b.ts',
    ],
  );
});
