/** NU: whole numbers keep their digits, or are found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InexactNumber, inexactIn, inexactNumbers, parseExact } from '../../../protocol/base/exact-numbers.ts';
import { inexactFields } from '../../../protocol/users/exact-fields.ts';

function found(text: string): string[] {
  return [...inexactNumbers(text)].map((number) => number.text.replace(' is too big to be an exact number; write it as text', ''));
}

const cases: readonly [text: string, found: readonly string[]][] = [
  ['{"uid":9007199254740993}', ['uid: 9007199254740993']],
  ['{"uid":9007199254740992}', []],
  ['{"uid":9007199254740991,"n":-9007199254740991}', []],
  ['{"uid":-175928847299117063}', ['uid: -175928847299117063']],
  ['{"a":1152921504606846976}', ['a: 1152921504606846976']],
  ['{"a":{"b c":[1,{"d":175928847299117063}]}}', ['a.b c[1].d: 175928847299117063']],
  ['[1,[2,175928847299117063]]', ['[1][1]: 175928847299117063']],
  ['175928847299117063', ['175928847299117063']],
  ['{"users":{"ann":{"discord":175928847299117063}}}', ['users[ann].discord: 175928847299117063']],
  ['{"1":{},"users":[{"n":{"n":175928847299117063}}]}', ['users[0].n.n: 175928847299117063']],
  // Only whole numbers: fractions and exponents may be rounded.
  ['{"a":9007199254740993.0,"b":1.0e20,"c":0.1234567890123456789,"d":1e400,"e":-0,"f":1234567890123456e3}', []],
  // Texts are never meant.
  ['{"a":"9007199254740993","9007199254740993":"x","b":"\\"9007199254740993\\\\"}', []],
  ['{"a\\"b":"\\\\","c":9007199254740993}', ['c: 9007199254740993']],
  ['{"x":"{\\"a\\":9007199254740993,","y":[9007199254740993]}', ['y[0]: 9007199254740993']],
];
for (const [text, expected] of cases) test(`NU1 ${text}`, () => assert.deepEqual(found(text), expected));

test('NU1 a key such as __proto__ or one that is there twice does no harm', () => {
  const { value, isExact } = parseExact('{"__proto__":{"a":9007199254740993},"a":9007199254740993,"b":{"c":9007199254740993},"b":1}');
  assert.equal(isExact, false);
  assert.equal(inexactIn(value).length, 2);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.ok(Object(value).a instanceof InexactNumber);
});

test('NU1 whatever keys come twice, only the value that was read is touched', () => {
  const inherited = Object.getOwnPropertyNames(Object.prototype);
  parseExact('{"a":{"__proto__":{"deactivated_at":9007199254740993}},"a":{}}');
  parseExact('{"a":[{"constructor":{"prototype":{"x":9007199254740993}}}],"a":[{}]}');
  parseExact('{"a":{"toString":{"x":9007199254740993}},"a":[]}');
  const key = fc.constantFrom('a', '__proto__', 'constructor', 'prototype', 'toString', '0', 'length');
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom('9007199254740993', '1', 'null', '"x"'),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join()}]`),
      fc
        .array(fc.tuple(key, tie('value')), { maxLength: 4 })
        .map((pairs) => `{${pairs.map(([name, item]) => `"${name}":${item}`).join()}}`),
    ),
  }));
  fc.assert(
    fc.property(value, (text) => {
      parseExact(text);
      for (const shared of [Object, Array, Function, String, Number]) {
        assert.equal(Object.getOwnPropertyDescriptor(shared.prototype, 'a'), undefined, text);
        assert.equal(shared.prototype.constructor, shared, text);
      }
      assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), inherited, text);
      assert.equal(typeof Object.prototype.toString, 'function', text);
    }),
    { numRuns: 2_000 },
  );
});

test('NU2 the work for a number grows neither with its depth nor with its key, and no more are listed than an answer shows', () => {
  const lists = `${'[9007199254740993,'.repeat(20_000)}1${']'.repeat(20_000)}`;
  const key = 'k'.repeat(1_000_000);
  const texts = [
    `{"set":{"a":${lists}}}`,
    `{"created_at":${lists},"a":9007199254740993}`,
    `{"${key}":[${'9007199254740993,'.repeat(20_000)}1]}`,
  ];
  const before = process.cpuUsage();
  const [nested, times, long] = texts.map((text) => inexactFields(text).map(({ path }) => path));
  const { user, system } = process.cpuUsage(before);
  assert.equal(nested?.length, 100);
  assert.ok(nested.every((path) => path.length < 300));
  assert.deepEqual(times, ['a']);
  assert.equal(long?.length, 100);
  assert.equal(long[7], `${'k'.repeat(64)}…[7]`);
  assert.ok(user + system < 2_000_000, `${(user + system) / 1_000} ms`);
  // A row that nests so deep is an error of its row, whatever its path says.
  const { value, isExact } = parseExact(`{"a":${lists}}`);
  assert.equal(isExact, false);
  assert.ok(inexactIn(value).length > 0);
});

test('NU2 blanks, words and the digits of other numbers cost no more than a look at each character', (t) => {
  let slices = 0;
  const { slice } = String.prototype;
  t.after(() => Object.assign(String.prototype, { slice }));
  Object.assign(String.prototype, {
    slice(this: string, ...asked: Parameters<typeof slice>): string {
      slices++;
      return slice.apply(this, asked);
    },
  });
  for (const much of [' '.repeat(100_000), 'true,'.repeat(20_000), '1.25e7,'.repeat(20_000), `1.${'1'.repeat(100_000)},`]) {
    slices = 0;
    assert.deepEqual(found(`[${much}1,{"n":${'9'.repeat(100_000)}}]`).length, 1);
    assert.ok(slices < 20, `${slices} slices for ${slice.call(much, 0, 7)}`);
  }
});

test('NU1 values of any shape are read as JSON.parse reads them, or every number that it would change is found', () => {
  const whole = fc.oneof(
    fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }),
    fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
    fc.integer(),
  );
  const number = whole.map((digits) => ({ text: String(digits), isKept: JSON.stringify(Number(digits)) === String(digits) }));
  const fraction = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ text: JSON.stringify(value), isKept: true }));
  const words = fc.string({ unit: fc.constantFrom('"', '\\', '{', ',', ':', '[', '9007199254740993', 'é', '\n') });
  const text = words.map((value) => ({ text: JSON.stringify(value), isKept: true }));
  type Part = { readonly text: string; readonly isKept: boolean };
  const { value } = fc.letrec<{ value: Part & { readonly bad?: number } }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      number,
      // JSON writes a large fraction without one.
      fraction.filter((one) => /[.e]/.test(one.text) || one.text.length < 16),
      text,
      fc.array(tie('value')).map((items) =>
        joined(
          '[',
          items.map((item) => ['', item]),
          ']',
        ),
      ),
      fc.array(fc.tuple(words, tie('value'))).map((items) =>
        joined(
          '{',
          items.map(([key, item]) => [`${JSON.stringify(key)} : `, item]),
          '}',
        ),
      ),
    ),
  }));
  function badIn(part: Part & { readonly bad?: number }): number {
    return part.bad ?? (part.isKept ? 0 : 1);
  }
  function joined(open: string, items: readonly (readonly [string, Part & { readonly bad?: number }])[], close: string) {
    const bad = items.reduce((sum, [, item]) => sum + badIn(item), 0);
    return { text: `${open}${items.map(([key, item]) => key + item.text).join(' , ')}${close}`, isKept: bad === 0, bad };
  }
  fc.assert(
    fc.property(value, (part) => {
      assert.equal([...inexactNumbers(part.text)].length, badIn(part));
      const { value: read, isExact } = parseExact(part.text);
      assert.equal(isExact, badIn(part) === 0);
      if (isExact) assert.deepEqual(read, JSON.parse(part.text));
    }),
    { numRuns: 2_000 },
  );
});

const times: readonly [text: string, fields: readonly string[]][] = [
  ['{"users":{"ann":{"created_at":1759288472991170631,"mutes":[{"created_at":1759288472991170631}],"a":1}}}', []],
  ['{"users":[{"id":"a","set":{"revoke_tokens_issued_before":1759288472991170631}}]}', []],
  ['{"filter_conditions":{"$and":[{"created_at":{"$gt":1759288472991170631}}]}}', []],
  ['{"filter":{"discord":{"$gt":1759288472991170631}}}', ['filter.discord.$gt']],
  ['{"users":{"ann":{"job":{"created_at":1759288472991170631}}}}', ['users[ann].job.created_at']],
  ['{"users":{"created_at":{"x":1759288472991170631}}}', ['users[created_at].x']],
  ['{"users":{"ann":{"custom":{"created_at":1759288472991170631}}}}', ['users[ann].custom.created_at']],
  ['{"users":{"ann":{"from":1759288472991170631}}}', ['users[ann].from']],
  ['{"from":1759288472991170631,"to":1759288472991170631}', []],
  ['{"preferences":[{"disabled_until":1759288472991170631}]}', []],
  ['{"set":{"address.zip":1759288472991170631}}', ['set.address.zip']],
];
for (const [text, fields] of times) {
  test(`HI13 times, and what only the daemon sets, may have any digits: ${text}`, () =>
    assert.deepEqual(
      inexactFields(text).map(({ path }) => path),
      fields,
    ));
}
