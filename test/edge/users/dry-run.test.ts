/** Dry runs over HTTP: DY1–DY5. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { worldOf } from '../../support/http/conditions-kit.ts';
import { assertRefused, httpWorld, type Received, userToken } from '../../support/http/fake-backend.ts';

describe('dry_run', () => {
  for (const prefix of ['', '/api/v2']) {
    it(`DY1 POST ${prefix}/users says what would be done, and does nothing`, async () => {
      const world = await worldOf('ann', 'bob', 'cem');
      const seq = world.backend.position.seq;
      const commands = world.backend.commands.length;
      const book = prefix === '' ? { book: 'b' } : { custom: { book: 'b' } };
      const users = { ann: { name: 'Anna', teams: ['red'], ...book }, bob: { name: 'bob' }, dan: { name: 'Dan', role: 'admin' } };
      const { status, body, headers } = await world.send('POST', `${prefix}/users`, { query: { dry_run: 'true' }, body: { users } });
      assert.equal(status, 200);
      assert.deepEqual([body.created, body.updated, body.unchanged, body.errors], [['dan'], ['ann'], ['bob'], []]);
      assert.deepEqual(body.revs, { ann: 1, bob: 2, dan: 0 });
      assert.deepEqual(body.changes, {
        ann: { name: ['ann', 'Anna'], teams: [[], ['red']], 'custom.book': [null, 'b'] },
        dan: { role: [null, 'admin'], name: [null, 'Dan'] },
      });
      assert.equal(body.users.ann.name, 'Anna');
      assert.equal(headers['x-rosterd-position'], `test:${seq}`);
      assert.equal(headers.etag, undefined, 'a revision that there is not yet');
      assert.deepEqual([world.backend.position.seq, world.backend.commands.length], [seq, commands]);
      assert.equal(world.backend.directory.user('ann')?.name, 'ann');
    });
  }

  it('DY1 PATCH too; a removed field would be null, times are those of the dialect', async () => {
    const world = await worldOf('ann');
    const users = [{ id: 'ann', set: { 'a.b': 1, revoke_tokens_issued_before: '2026-01-01T00:00:00Z' }, unset: ['name'] }];
    const run = (path: string): Promise<Received> => world.send('PATCH', path, { query: { dry_run: '1' }, body: { users } });
    const [v1, v2] = [await run('/users'), await run('/api/v2/users')];
    const common = { name: ['ann', null], 'custom.a': [null, { b: 1 }] };
    assert.deepEqual(v1.body.changes.ann, { ...common, revoke_tokens_issued_before: [null, '2026-01-01T00:00:00.000000Z'] });
    assert.deepEqual(Object.keys(v2.body.changes.ann).sort(), Object.keys(v1.body.changes.ann).sort());
    assert.match(v2.text, /"revoke_tokens_issued_before":\[null,1767225600000000000\]/);
    assert.equal(world.backend.position.seq, 1);
  });

  it('DY2 what is wrong with single users is told of them, and the others are judged without them', async () => {
    const world = await worldOf('ann', 'bob', 'eve');
    await world.send('PATCH', '/app', { body: { enforce_unique_usernames: 'app' } });
    await world.send('DELETE', '/users/eve');
    const users = {
      ann: { name: 'Other', role: 'no-such-role' },
      bob: { name: 'Bob' },
      cem: { name: 'ann' },
      dan: { name: 7 },
      eve: { name: 'E' },
      fay: { name: 'Fay' },
      gus: { name: 'fay' },
    };
    const { status, body } = await world.send('POST', '/users', {
      query: { dry_run: 'true' },
      body: { users, if_rev: { bob: 9, fay: 0 } },
    });
    assert.equal(status, 200);
    assert.deepEqual(
      body.errors.map(({ path, code }: { path: string; code: number }) => [path, code]),
      [
        ['users[dan].name', 4],
        ['users[ann].role', 4],
        ['users[bob]', 4],
        ['users[eve]', 16],
        ['users[gus].name', 6],
        // ann keeps its name, because its change is refused: so cem cannot have it.
        ['users[cem].name', 6],
      ],
    );
    assert.deepEqual([body.created, body.updated, body.unchanged], [['fay'], [], []]);
    assert.deepEqual(body.revs, { ann: 1, bob: 2, cem: 0, eve: 0, fay: 0, gus: 0 });
    const rest = await world.send('POST', '/users', {
      query: { dry_run: 'true' },
      body: { users: { ann: { name: 'A', role: 'no-such-role' }, bob: { name: 'B' } } },
    });
    assert.deepEqual([rest.body.updated, Object.keys(rest.body.changes), Object.keys(rest.body.users)], [['bob'], ['bob'], ['bob']]);
  });

  it('DY3 anything but plain words is an error, and only a server may ask', async () => {
    const world = await worldOf('ann');
    const seq = world.backend.position.seq;
    for (const value of ['yes', 'TRUE', 'on', ' true', 'null', '2', 'dry']) {
      for (const method of ['POST', 'PATCH'] as const) {
        assertRefused(await world.send(method, '/users', { query: { dry_run: value }, body: {} }), 400, 4, 'dry_run');
      }
    }
    const own = { token: userToken('ann'), query: { dry_run: 'true' }, body: { users: { ann: { name: 'A' } } } };
    assertRefused(await world.send('POST', '/users', own), 403, 17, 'dry_run');
    assert.equal(world.backend.position.seq, seq);
    for (const value of ['false', '0', '']) {
      assert.equal((await world.send('POST', '/users', { ...own, query: { dry_run: value } })).status, 200);
    }
    assert.equal(world.backend.directory.user('ann')?.name, 'A');
  });

  it('DY4 the same request without it does what was said', async () => {
    const world = await worldOf('ann', 'bob');
    const body = { users: { ann: { name: 'A' }, bob: { name: 'bob' }, cem: { name: 'C' } } };
    const said = (await world.send('POST', '/users', { query: { dry_run: 'true' }, body })).body;
    const { revs: _revs, changes: _changes, errors: _errors, ...shown } = said;
    const done = (await world.send('POST', '/users', { body: { ...body, if_rev: said.revs } })).body;
    assert.deepEqual([done.created, done.updated, done.unchanged], [said.created, said.updated, said.unchanged]);
    assert.deepEqual(Object.keys(done), Object.keys(shown));
    const late = await world.send('POST', '/users', { body: { users: { ann: { name: 'B' } }, if_rev: { ann: said.revs.ann } } });
    assert.equal(late.status, 412);
  });

  it('DY5 a full batch in which every user is refused for the one before it ends', async () => {
    const world = httpWorld();
    await world.send('PATCH', '/app', { body: { enforce_unique_usernames: 'app' } });
    const users = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`u${n}`, { name: `n${n}` }]));
    assert.equal((await world.send('POST', '/users', { body: { users } })).status, 201);
    // Each takes the name of the next one, which therefore must move on; the last one cannot.
    const moved = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`u${n}`, { name: `n${n + 1}` }]));
    const chained = { ...moved, u99: { name: 'x', role: 'no-such-role' } };
    const { status, body } = await world.send('POST', '/users', { query: { dry_run: 'true' }, body: { users: chained } });
    assert.equal(status, 200);
    assert.deepEqual([body.updated.length, body.errors.length], [0, 100]);
  });
});
