/** MA: from columns to fields. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileMapping, MappingError } from '../../../daemon/sync/plan/mapping.ts';
import { parseExact } from '../../../protocol/base/exact-numbers.ts';

const table: readonly [string, { columns?: string[]; map?: unknown }, unknown, unknown][] = [
  [
    'fields by their names',
    { columns: ['id', 'name', 'image', 'role', 'language'] },
    ['a', 'A', 'i', 'user', 'de'],
    { id: 'a', name: 'A', image: 'i', role: 'user', language: 'de' },
  ],
  ['cells of any order', { columns: ['name', 'id'] }, ['A', 'a'], { id: 'a', name: 'A' }],
  ['empty cells, which are not sent', { columns: ['id', 'name', 'teams', 'custom.x'] }, ['a', '', '', ''], { id: 'a' }],
  ['nothing, which is not sent', { columns: ['id', 'name'] }, ['a', null], { id: 'a' }],
  ['yes and no', { columns: ['id', 'invisible'] }, ['a', 'TRUE'], { id: 'a', invisible: true }],
  ['0 as false', { columns: ['id', 'invisible'] }, ['a', '0'], { id: 'a', invisible: false }],
  ['a list with semicolons', { columns: ['id', 'teams'] }, ['a', 'red; blue,ish;'], { id: 'a', teams: ['red', 'blue,ish'] }],
  ['a list with commas', { columns: ['id', 'teams'] }, ['a', 'red, blue'], { id: 'a', teams: ['red', 'blue'] }],
  ['a JSON list', { columns: ['id', 'teams'] }, ['a', '["red;ish"]'], { id: 'a', teams: ['red;ish'] }],
  ['an empty list', { columns: ['id', 'teams'] }, ['a', '[]'], { id: 'a', teams: [] }],
  ['JSON', { columns: ['id', 'teams_role'] }, ['a', '{"red":"admin"}'], { id: 'a', teams_role: { red: 'admin' } }],
  ['custom text', { columns: ['id', 'custom.no'] }, ['a', '007'], { id: 'a', no: '007' }],
  [
    'custom types',
    { columns: ['id', 'custom.n:number', 'custom.b:boolean', 'custom.j:json', 'custom.l:list'] },
    ['a', ' -1.5e3', 'no', '[1]', 'x;y'],
    { id: 'a', n: -1500, b: false, j: [1], l: ['x', 'y'] },
  ],
  [
    'all custom data at once, single fields first',
    { columns: ['id', 'custom.x', 'custom'] },
    ['a', '1', '{"x":2,"y":3}'],
    { id: 'a', x: '1', y: 3 },
  ],
  ['what only the daemon sets, left out', { columns: ['id', 'created_at', 'online'] }, ['a', 'x', 'true'], { id: 'a' }],
  [
    'values of a database',
    { columns: ['id', 'custom.n', 'teams', 'invisible'] },
    [17, 4, ['red'], true],
    { id: '17', n: 4, teams: ['red'], invisible: true },
  ],
  [
    'a map of a table',
    {
      columns: ['no', 'full', 'team', 'age', 'x'],
      map: {
        id: 'no',
        name: { column: 'full' },
        role: { value: 'user' },
        teams: { column: 'team', type: 'list', separator: '|' },
        'custom.age': { column: 'age', type: 'number' },
      },
    },
    ['a', 'A', 'r|b', '7', 'y'],
    { id: 'a', name: 'A', role: 'user', teams: ['r', 'b'], age: 7 },
  ],
  [
    'a map of objects',
    { map: { id: 'no', name: 'person.name', 'custom.d': 'a.b', 'custom.e': 'c.d.e', 'custom.f': '' } },
    { no: 5, person: { name: 'A' }, 'a.b': 1, a: { b: 2 }, 'c.d': { e: 3 }, c: { d: { e: 4 } }, '': 6 },
    { id: '5', name: 'A', d: 1, e: 3, f: 6 },
  ],
  [
    'custom data with keys of any name',
    { columns: ['id', 'custom'] },
    ['a', '{"first.name":"Ann","home town":"Delft","":1}'],
    { id: 'a', 'first.name': 'Ann', 'home town': 'Delft', '': 1 },
  ],
  ['one column for two fields', { columns: ['no'], map: { id: 'no', 'custom.no': 'no' } }, ['a'], { id: 'a', no: 'a' }],
];
for (const [what, source, item, user] of table) {
  test(`MA1 ${what}`, () => assert.deepEqual(compileMapping(source).map(item), { value: user }));
}

const wrongCells: readonly [string, string, string][] = [
  ['custom.n:number', 'abc', 'custom.n: "abc" is no number'],
  ['custom.n:number', '12345678901234567', 'custom.n: "12345678901234567" is too big to be an exact number; leave it as text'],
  ['custom.b:boolean', 'maybe', 'custom.b: "maybe" is neither true nor false'],
  ['teams_role', '{', 'teams_role: is not JSON: '],
  ['custom', '[1]', 'custom: must be a JSON object'],
  ['custom', '{"name":"x"}', 'custom.name: custom data cannot be called like a field of the user'],
  ['custom', '{"__proto__":1}', 'custom.__proto__: "__proto__" is a reserved name'],
];
for (const [column, cell, problem] of wrongCells) {
  test(`MA2 ${cell} in ${column} is an error of its row, which keeps its id`, () => {
    const mapped = compileMapping({ columns: ['id', column] }).map(['a', cell]);
    assert.ok('problems' in mapped);
    assert.equal(mapped.id, 'a');
    assert.ok(mapped.problems[0]?.startsWith(problem), mapped.problems[0]);
  });
}

const FIELDS = 'id, name, image, role, language, invisible, teams, teams_role, privacy_settings, custom, custom.<name>';
const wrong: readonly [string, { columns?: string[]; map?: unknown }, readonly string[]][] = [
  [
    'columns without a field',
    { columns: ['id', 'dept', 'Name'] },
    [
      `unknown columns: dept, Name. To keep them as custom data call them custom.dept, custom.Name; or name the columns that count with --map. Fields of a user: ${FIELDS}`,
      'columns of the source: id, dept, Name',
    ],
  ],
  ['no id', { columns: ['name'] }, ['there is no column "id"', 'columns of the source: name']],
  [
    'everything at once',
    { columns: ['id', 'id', '', 'custom.x:int', 'name:number', 'custom.role', 'custom.a.b'] },
    [
      'there are two columns "id"',
      'there are two columns for id',
      'custom.x: unknown type "int"; there are text, number, boolean, json, list',
      'name: is of type text, not number',
      'custom.role: custom data cannot be called like a field of the user',
      'custom.a.b: must not have a dot in its name; fill it with a column of type json',
      'columns of the source: id, id, column 3, custom.x:int, name:number, custom.role, custom.a.b',
    ],
  ],
  [
    'a map with everything',
    {
      columns: ['no', 'full'],
      map: {
        id: { value: 'x' },
        nam: 'full',
        name: 'fulll',
        role: 5,
        image: { column: 'full', type: 'picture' },
        teams: { column: 'no', sep: ';' },
        language: { column: 'no', separator: ';' },
      },
    },
    [
      'role: must be the name of a column, {"column": …} or {"value": …}',
      'teams: unknown "sep"',
      `nam is no field of a user; there are ${FIELDS}`,
      'name: there is no column "fulll"',
      'image: unknown type "picture"; there are text, number, boolean, json, list',
      'language: only a list has a separator',
      'id: cannot be the same for everyone',
      'columns of the source: no, full',
    ],
  ],
  [
    'a map of every other shape',
    {
      map: {
        id: { column: 'a', value: 'b' },
        name: {},
        image: { column: 7 },
        role: { column: '' },
        language: { column: 'a', type: 5 },
        invisible: { value: true, sep: 1, other: 2 },
        teams: { column: 'a', separator: '' },
        teams_role: null,
        'custom.': 'a',
        'custom.x': { column: 'a', separator: ';' },
        'custom.y': { column: 'a', type: 'jason' },
        'custom.z': { column: 'a', type: 'any' },
        'custom.constructor': 'a',
      },
    },
    [
      'id: must be the name of a column, {"column": …} or {"value": …}',
      'name: must be the name of a column, {"column": …} or {"value": …}',
      'image: "column" must be a text',
      'role: "column" must be a text',
      'language: "type" must be a text',
      'invisible: unknown "sep", "other"',
      'teams: "separator" must be a text',
      'teams_role: must be the name of a column, {"column": …} or {"value": …}',
      'custom.: needs a name',
      'custom.x: only a list has a separator',
      'custom.y: unknown type "jason"; there are text, number, boolean, json, list',
      'custom.z: unknown type "any"; there are text, number, boolean, json, list',
      'custom.constructor: "constructor" is a reserved name',
      'the map does not say what the id is',
    ],
  ],
  ['a map without id', { map: { name: 'n' } }, ['the map does not say what the id is']],
  ['a map that is none', { map: [] }, ['the map must be a JSON object: {"<field>": "<column>", …}']],
];
for (const [what, source, problems] of wrong) {
  test(`MA3 before any row is read, everything that is wrong is told: ${what}`, () => {
    assert.throws(
      () => compileMapping(source),
      (error) => {
        assert.ok(error instanceof MappingError);
        assert.deepEqual(error.problems, problems);
        return true;
      },
    );
  });
}

test('MA1 items without columns or a map are users already; a mapping leaves alone what has another form', () => {
  const plain = compileMapping({});
  assert.deepEqual([plain.map({ id: 'a', x: 1 }), plain.neverFound(), plain.notes], [{ value: { id: 'a', x: 1 } }, [], []]);
  assert.deepEqual(compileMapping({ columns: ['id'] }).map({ 0: 'a' }), { value: {} });
  assert.deepEqual(compileMapping({ map: { id: 'no' } }).map(['a']), { value: {} });
  assert.deepEqual(compileMapping({ columns: ['id', ''] }).map('ab'), { value: {} });
  assert.deepEqual(compileMapping({ columns: ['id', 'name'] }).neverFound(), []);
  const byType = compileMapping({ columns: ['id', 'custom.a:b:text'] });
  assert.deepEqual(byType.map(['1', 'x']), { value: { id: '1', 'a:b': 'x' } }, 'the last colon is that of the type');
});

test('MA4 columns that are left out are named', () => {
  assert.deepEqual(compileMapping({ columns: ['id', 'b', 'c'], map: { id: 'id' } }).notes, [
    'left out, since the map does not name them: b, c',
  ]);
  assert.deepEqual(compileMapping({ columns: ['id', 'online'] }).notes, ['left out, since only the daemon sets them: online']);
});

test('MA5 a path that no object has is known in the end', () => {
  const mapping = compileMapping({ map: { id: 'no', name: 'full_nam', image: { value: 'x' } } });
  mapping.map({ no: 'a', full_name: 'A' });
  assert.deepEqual(mapping.neverFound(), ['full_nam']);
  mapping.map({ no: 'b', full_nam: null });
  assert.deepEqual(mapping.neverFound(), []);
});

function mapped(map: unknown, item: unknown) {
  return compileMapping({ map }).map(item);
}

test('SS16 a map refuses a number that would become another number by the name that the source gives it, and only where it is used', () => {
  const map = { id: 'uid', name: 'n', custom: 'more', 'custom.list': { column: 'tags', type: 'list' } };
  const { value } = parseExact('{"uid":9007199254740993,"n":"A","unused":9007199254740993}');
  const problem = 'uid: 9007199254740993 is too big to be an exact number; write it as text';
  assert.deepEqual(mapped(map, value), { id: undefined, problems: [problem] });
  const { value: unused } = parseExact('{"uid":9007199254740992,"n":"A","unused":9007199254740993}');
  assert.deepEqual(mapped({ id: 'n' }, unused), { value: { id: 'A' } });
});

test('SS17 a number that a source may have rounded is no id', () => {
  for (const uid of [175928847299117060, 1e20, 2 ** 53, -(2 ** 60), Number.POSITIVE_INFINITY, Number.NaN]) {
    const found = mapped({ id: 'uid' }, { uid });
    assert.ok('problems' in found && /^u?id: /.test(found.problems[0] ?? ''), String(uid));
  }
  const reason = 'uid: 9007199254740992 is too big to be an exact number; write it as text';
  assert.deepEqual(mapped({ id: 'uid' }, { uid: 2 ** 53 }), { id: undefined, problems: [reason] });
  for (const [uid, id] of [
    [2 ** 53 - 1, '9007199254740991'],
    [0.5, '0.5'],
    [-0, '0'],
  ] as const) {
    assert.deepEqual(mapped({ id: 'uid' }, { uid }), { value: { id } });
  }
});

test('SS16 the same in a cell that holds JSON', () => {
  const table = compileMapping({ columns: ['id', 'custom.x:json', 'custom.y:list'] });
  const reason = 'is too big to be an exact number; write it as text';
  assert.deepEqual(table.map(['a', '{"z":[9007199254740993]}', '[9007199254740993]']), {
    id: 'a',
    problems: [`custom.x: z[0]: 9007199254740993 ${reason}`, `custom.y: [0]: 9007199254740993 ${reason}`],
  });
  assert.deepEqual(table.map(['a', '{"z":"9007199254740993"}', '9007199254740993']), {
    value: { id: 'a', x: { z: '9007199254740993' }, y: ['9007199254740993'] },
  });
});

test('MA6 white space around ids and roles is no part of them, and a cell that only looks empty is', () => {
  const table = compileMapping({ columns: ['id', 'name', 'role', 'teams', 'custom.n:number', 'custom.b:boolean'] });
  assert.deepEqual(table.map(['\u00a0a1\u200b', ' Uma ', '\tadmin\ufeff', ' red\u00a0; blue', '\u00a07 ', ' yes\u200b']), {
    value: { id: 'a1', name: ' Uma ', role: 'admin', teams: ['red', 'blue'], n: 7, b: true },
  });
  assert.deepEqual(table.map(['a1', '\u200b', ' ', '\u00a0', '\t', '\ufeff']), { value: { id: 'a1' } });
});

test('MA7 a column without a name is left out by its number, and a value in it is an error of its row', () => {
  const table = compileMapping({ columns: ['id', '', 'name', ''] });
  assert.deepEqual(table.notes, ['left out, since they have no name: column 2, column 4']);
  assert.deepEqual(table.map(['a', '', 'A', ' ']), { value: { id: 'a', name: 'A' } });
  assert.deepEqual(table.map(['a', '', 'A', 'x']), { id: 'a', problems: ['column 4 has no name, but there is a value in it'] });
  const byMap = compileMapping({ columns: ['no', '', 'x'], map: { id: 'no' } });
  assert.deepEqual(byMap.notes, ['left out, since the map does not name them: column 2, x']);
  assert.deepEqual(byMap.map(['a', 'y', 'z']), { value: { id: 'a' } });
});
