/** MA1, MA2: what becomes of a cell under each type. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bare, type CellType, convert, isEmptyCell } from '../../../daemon/sync/plan/cell-types.ts';

const to = (value: unknown, type: CellType, separator?: string): unknown => {
  const converted = convert(value, type, separator);
  return 'value' in converted ? converted.value : `problem: ${converted.problem}`;
};

test('MA1 cells become text, numbers, switches, JSON and lists', () => {
  for (const [value, type, expected] of [
    ['a', 'any', 'a'],
    [7, 'any', 7],
    [' a ', 'text', ' a '],
    [7, 'text', '7'],
    [true, 'text', 'true'],
    [' 7 ', 'number', 7],
    ['-1.5e3', 'number', -1_500],
    ['.5', 'number', 0.5],
    [7, 'number', 7],
    ['9007199254740991', 'number', 9_007_199_254_740_991],
    [' YES ', 'boolean', true],
    ['f', 'boolean', false],
    [1, 'boolean', true],
    ['0', 'boolean', false],
    [false, 'boolean', false],
    ['{"a":[1]}', 'json', { a: [1] }],
    [{ a: 1 }, 'json', { a: 1 }],
    ['a; b,c;;', 'list', ['a', 'b,c']],
    ['a, b', 'list', ['a', 'b']],
    ['[]', 'list', []],
    ['["a;b", 1]', 'list', ['a;b', 1]],
    ['[a; b', 'list', ['[a', 'b']],
    [['a'], 'list', ['a']],
  ] as const) {
    assert.deepEqual(to(value, type), expected, `${JSON.stringify(value)} as ${type}`);
  }
  assert.deepEqual(to('a|b;c', 'list', '|'), ['a', 'b;c']);
});

test('MA2 a cell of the wrong type is a problem that shows it', () => {
  for (const [value, type, problem] of [
    [{}, 'text', /^problem: must be text, got /],
    [Number.NaN, 'text', /^problem: must be text, got /],
    ['7a', 'number', /^problem: "7a" is no number$/],
    ['', 'number', /is no number$/],
    [true, 'number', /^problem: true is no number$/],
    [[1], 'number', /^problem: a value of type \S+ is no number$/],
    ['9007199254740993', 'number', /is too big to be an exact number; leave it as text$/],
    ['1e400', 'number', /is too big/],
    ['maybe', 'boolean', /^problem: "maybe" is neither true nor false$/],
    [{}, 'boolean', /is neither true nor false$/],
    ['{', 'json', /^problem: is not JSON: /],
    [7, 'list', /^problem: must be a list, got /],
    [{ length: 1 }, 'list', /^problem: must be a list, got /],
  ] as const) {
    assert.match(String(to(value, type)), problem, `${JSON.stringify(value)} as ${type}`);
  }
});

test('MA1 cells that only look empty are empty, and white space of every kind is cut off at the ends alone', () => {
  for (const empty of [undefined, null, '', ' ', '\t\n', '\u200b', '\ufeff \u00a0'])
    assert.equal(isEmptyCell(empty), true, JSON.stringify(empty));
  for (const full of ['a', ' a ', 0, false, [], {}]) assert.equal(isEmptyCell(full), false, JSON.stringify(full));
  assert.equal(bare('\ufeff a \u200b b\u00a0'), 'a \u200b b');
});

test('MA1 every word for yes and no is known, in any case', () => {
  for (const word of ['true', 't', 'yes', '1'])
    for (const cell of [word, word.toUpperCase()]) assert.equal(to(cell, 'boolean'), true, cell);
  for (const word of ['false', 'f', 'no', '0'])
    for (const cell of [word, word.toUpperCase()]) assert.equal(to(cell, 'boolean'), false, cell);
});
