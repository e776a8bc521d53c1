/** SO3: one JSON list, cut into its items. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RawLine } from '../../daemon/sync/line-reader.ts';
import { ListSplitter, startOf } from '../../daemon/sync/list-reader.ts';

function items(text: string | Buffer, size = 1_000, maxBytes = 1_000): RawLine[] {
  const bytes = Buffer.from(text);
  const splitter = new ListSplitter(maxBytes);
  const found: RawLine[] = [];
  for (let at = 0; at < bytes.length; at += size) found.push(...splitter.push(Buffer.from(bytes.subarray(at, at + size))));
  return [...found, ...splitter.end()];
}

const texts = (found: readonly RawLine[]): unknown[] => found.map(({ line, content }) => `${line} ${content?.toString().trim()}`);

test('SO3 the items of a list are numbered, whatever is in them and however the bytes are cut', () => {
  const list = String.raw`﻿ [ {"a":"x,]\\\"}[{"} , 2,"t\\",
    [1,{"b":[]},[[2]]], {} ,"\"",null ]
  `;
  for (const size of [1, 2, 3, 7, 1_000]) {
    assert.deepEqual(
      texts(items(list, size)),
      [String.raw`1 {"a":"x,]\\\"}[{"}`, '2 2', String.raw`3 "t\\"`, '4 [1,{"b":[]},[[2]]]', '5 {}', String.raw`6 "\""`, '7 null'],
      `chunks of ${size}`,
    );
  }
  for (const empty of ['[]', ' [ \n\t ]\r\n']) assert.deepEqual(items(empty, 1), []);
});

test('SO3 brackets that do not match are of one item alone: the list goes on behind it', () => {
  assert.deepEqual(texts(items('[1}},2,{"a"}},3]', 1)), ['1 1}}', '2 2', '3 {"a"}}', '4 3']);
});

test('SO3 each item has the bytes up to the comma or bracket that ends it', () => {
  assert.deepEqual(
    items('[ 1,22 ,333]', 2).map(({ bytes }) => bytes),
    [3, 4, 4],
  );
});

test('SO3 what is no whole list is told with its place', () => {
  const broken: readonly [string, RegExp][] = [
    ['', /^the list is not closed; it breaks off in item 1$/],
    [' \n', /breaks off in item 1$/],
    ['[', /breaks off in item 1$/],
    ['[1,2', /breaks off in item 2$/],
    ['[{"a":[1]', /breaks off in item 1$/],
    ['["]', /breaks off in item 1$/],
    [String.raw`["\"]`, /breaks off in item 1$/],
    ['[,1]', /^there is nothing where item 1 of the list should be$/],
    ['[1,]', /^there is nothing where item 2 of the list should be$/],
    ['[1, ,3]', /^there is nothing where item 2 of the list should be$/],
    ['{"id":"a"}', /^the source does not begin with a list; one object per line is the format ndjson$/],
    ['\u0008[1]', /^the source does not begin with a list/],
    ['\u000e[1]', /^the source does not begin with a list/],
    ['[1] x', /^something follows the end of the list$/],
    ['[1][2]', /^something follows the end of the list$/],
    ['[1]\ufeff', /^something follows the end of the list$/],
  ];
  for (const [text, message] of broken) {
    for (const size of [1, 1_000]) {
      assert.throws(() => items(text, size), { name: 'BrokenSource', message }, `${text} by ${size}`);
    }
  }
});

test('SO3 white space of every kind may stand around a list and its items', () => {
  assert.deepEqual(texts(items('\t\n\u000b\u000c\r [\t\n\u000b\u000c\r 1\t\n\u000b\u000c\r ]\t\n\u000b\u000c\r ')), ['1 1']);
});

test('SS3 an item of the largest size is there; a longer one is known by its number alone, and the next is there again', () => {
  for (const size of [1, 4, 1_000]) {
    const found = items('[1234567890,12345678901,"3"]', size, 10);
    assert.deepEqual(texts(found), ['1 1234567890', '2 undefined', '3 "3"'], `chunks of ${size}`);
    assert.deepEqual(
      found.map(({ bytes }) => bytes),
      [11, 12, 4],
    );
  }
});

test('SO4 the first character is found behind white space and a byte order mark', () => {
  assert.equal(startOf(Buffer.from('\ufeff \r\n[')), 0x5b);
  assert.equal(startOf(Buffer.from('\t{"a":1}')), 0x7b);
  assert.equal(startOf(Buffer.from('\ufeff \n')), undefined);
});
