/** CO12: the address of a view, whatever an id holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf, fileAt, linkTo, viewOf } from '../../daemon/console/address.ts';

test('CO12 a link to a view leads to it, with any id and any text', () => {
  for (const id of ['ann', '@ann', 'a/b', 'a?b#c', '50%', '<script>', '%2F', '\u202e']) {
    assert.deepEqual(viewOf(linkTo(['users', id])).path, ['users', id], id);
    assert.equal(viewOf(linkTo(['users'], { q: id })).query.get('q'), id);
  }
  assert.equal(linkTo(['users'], { q: '', role: 'admin' }), '#/users?role=admin');
  assert.deepEqual(viewOf('').path, []);
  assert.deepEqual(viewOf('#/users/%zz').path, ['users', '%zz'], 'a fragment that somebody typed breaks nothing');
});

test('CO9 the page finds the daemon beside itself, behind a path of a proxy too', () => {
  for (const page of ['/console/', '/console/#/users/ann', '/console', '/console/?x#/live', '/console/index.html'])
    assert.equal(addressOf(`https://example.com/roster${page}`), 'https://example.com/roster', page);
  assert.equal(addressOf('http://127.0.0.1:8800/console/#/users'), 'http://127.0.0.1:8800');
});

test('CO44 CO46 a file is fetched from where the browser found the daemon', () => {
  assert.equal(fileAt('https://x.example/r', 'https://y.example/p/backup/f.gz?sig=a'), 'https://x.example/r/backup/f.gz?sig=a');
  assert.equal(
    fileAt('http://x.example', 'http://10.0.0.1:8800/exports/users/t/users.jsonl?exp=1'),
    'http://x.example/exports/users/t/users.jsonl?exp=1',
  );
});
