/** HS3: how long files and functions may be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortEnough } from '../support/house/length.ts';
import { functionsOf } from '../support/house/parsed.ts';
import { finds, holds } from '../support/house/tree.ts';

const CONTRIBUTING = '* Files have at most 20 lines,\n  functions at most 4, test files at most 30; names are kebab-case.';

test('HS3 files and functions are no longer than CONTRIBUTING.md says', () => holds(shortEnough));

test('HS3 a file and a function of one line too many are found, and the bounds are those of the text', () => {
  const lines = (count: number): string => 'export const a = 1;\n'.repeat(count);
  finds(
    shortEnough,
    {
      'CONTRIBUTING.md': CONTRIBUTING,
      'store/fits.ts': lines(20),
      'store/long.ts': lines(21),
      'test/fits.test.ts': `${lines(26)}function a() {\n\n\n\n}`.replaceAll('export const a = 1;', ''),
      'test/long.test.ts': lines(31),
      'daemon/a.ts': 'function fits() {\n\n\n}\nfunction long() {\n\n\n\n}',
    },
    [
      'store/long.ts has 21 lines; at most 20 are allowed',
      'test/fits.test.ts has 31 lines; at most 30 are allowed',
      'test/long.test.ts has 31 lines; at most 30 are allowed',
      'daemon/a.ts:5 long has 5 lines; at most 4 are allowed',
    ],
  );
  finds(shortEnough, { 'CONTRIBUTING.md': 'Files are short.', 'store/a.ts': lines(1000) }, [
    'CONTRIBUTING.md does not name the bounds of files, functions and test files',
  ]);
});

test('HS3 functions are measured whatever stands in them', () => {
  const text = [
    '/** } */',
    'export abstract class A {', // 2
    '  static #b = (): string => {',
    '    return `}@{[1].map((n) => `@{n}}`).join("}")}{`;',
    '  };',
    '  abstract none(): void;', // 6
    '  async *rows<T extends { a: 1 }>(', // 7
    '    one: T,',
    "    two = '{',",
    '  ): AsyncGenerator<T> {',
    '    // }',
    '    if (/[}/"]}{/.test(two)) yield one;',
    '  }', // 13
    '  get size(): number {',
    '    return 1;',
    '  }', // 16
    '}',
    'export function over(a: string): void;',
    'export function over(a: number): void;',
    'export function over(', // 20
    '  a: unknown,',
    '): void {',
    '  const inner = async () => {', // 23
    '    /* { */ await a;',
    '  };',
    '  void inner;',
    '}', // 27
    'export const object = {', // 28
    '  "quoted name"() {',
    '    return 1;',
    '  },', // 31
    '  arrow: function () {',
    '    return 1;',
    '  },', // 34
    '};',
    'export const type = undefined as unknown as () => {', // 36
    '  a: 1;',
    '};',
    '[1].forEach((n) => {', // 39
    '  void n;',
    '});',
  ]
    .join('\n')
    .replaceAll('@{', '${');
  assert.deepEqual(
    functionsOf({ path: 'store/a.ts', text })
      .sort((one, other) => one.line - other.line)
      .map(({ name, line, lines }) => `${name} ${line} ${lines}`),
    ['#b 3 3', 'a function 4 1', 'rows 7 7', 'size 14 3', 'over 20 8', 'inner 23 3', '"quoted name" 29 3', 'arrow 32 3', 'a function 39 3'],
  );
});
