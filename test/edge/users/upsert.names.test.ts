/** Unique names, on every way a name can enter: UN1–UN5. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, type HttpWorld, httpWorld, type Received } from '../../support/http/fake-backend.ts';

async function unique(scope: 'app' | 'team' | 'no', users: object): Promise<HttpWorld> {
  const world = httpWorld();
  const created = await world.send('POST', '/users', { body: { users } });
  assert.equal(created.status, 201, created.text);
  await world.send('PATCH', '/app', { body: { enforce_unique_usernames: scope } });
  return world;
}

function assertTaken(received: Received, field: string, name: string): void {
  assertRefused(received, 400, 6, field);
  assert.equal(received.body.exception_fields[field], `duplicate username: "${name}" is already taken`);
  assert.match(received.body.message, /^\w+ failed with error: "duplicate username: ".*" is already taken"$/s);
}

const JOHN = { john: { name: 'John Doe', teams: ['r'] } };

describe('unique names', () => {
  it('UN1 upsert, partial update, guest, feeds, reactivate and restore are refused a name that is taken, in every spelling', async () => {
    const { send } = await unique('app', { ...JOHN, bob: { name: 'Bob' }, off: { name: 'Off' }, gone: { name: 'Ghost' } });
    for (const base of ['', '/api/v2']) {
      for (const name of ['John Doe', 'john doe', 'JOHN.DOE', ' john-doe! ', 'Ｊohn Doe']) {
        assertTaken(await send('POST', `${base}/users`, { body: { users: { new1: { name } } } }), 'users[new1].name', name);
        assertTaken(await send('PATCH', `${base}/users`, { body: { users: [{ id: 'bob', set: { name } }] } }), 'users[bob].name', name);
      }
      assertTaken(await send('POST', `${base}/guest`, { body: { user: { id: 'visitor', name: 'john doe' } } }), 'user.name', 'john doe');
    }
    for (const name of ['john.doe', 'BOB']) {
      const created = await send('POST', '/api/v1.0/user/', { body: { id: 'feeder', data: { name } } });
      assert.deepEqual([created.status, created.body.detail], [400, `duplicate username: "${name}" is already taken`]);
    }
    assert.equal((await send('POST', '/api/v1.0/user/', { body: { id: 'feeder', data: { name: 'Feeder' } } })).status, 201);
    const renamed = await send('PUT', '/api/v1.0/user/feeder/', { body: { data: { name: 'bob' } } });
    assert.deepEqual([renamed.status, renamed.body.detail], [400, 'duplicate username: "bob" is already taken']);
    await send('POST', '/users/off/deactivate', { body: {} });
    assertTaken(await send('POST', '/users/off/reactivate', { body: { name: 'john doe' } }), 'users[off].name', 'john doe');
    assertTaken(await send('POST', '/users', { body: { users: { new1: { name: 'off' } } } }), 'users[new1].name', 'off');
    // A deleted user gives its name up; it can come back only while nobody else took it.
    await send('DELETE', '/users/gone');
    assert.equal((await send('POST', '/users', { body: { users: { new1: { name: 'ghost' } } } })).status, 201);
    assertTaken(await send('POST', '/api/v2/users/restore', { body: { user_ids: ['gone'] } }), 'users[gone].name', 'Ghost');
    await send('PATCH', '/users', { body: { users: [{ id: 'new1', unset: ['name'] }] } });
    assert.ok((await send('POST', '/api/v2/users/restore', { body: { user_ids: ['gone'] } })).status < 300);
  });

  it('UN1 two deleted users of one name cannot both come back', async () => {
    const { send } = await unique('app', { a: { name: 'Same' } });
    await send('DELETE', '/users/a');
    await send('POST', '/users', { body: { users: { b: { name: 'same' } } } });
    await send('DELETE', '/users/b');
    assertTaken(await send('POST', '/api/v2/users/restore', { body: { user_ids: ['a', 'b'] } }), 'users[b].name', 'same');
    assert.ok((await send('POST', '/api/v2/users/restore', { body: { user_ids: ['b'] } })).status < 300);
  });

  it('UN2 only new claims are checked: who shares a name already keeps it, and may be written', async () => {
    const { send } = await unique('app', { a: { name: 'Same' }, b: { name: 'same' }, c: {} });
    assert.equal(
      (await send('POST', '/users', { body: { users: { a: { name: 'Same', color: 'blue' }, b: { name: 'same', x: 1 } } } })).status,
      200,
    );
    assert.equal((await send('PATCH', '/users', { body: { users: [{ id: 'b', set: { name: 'same', y: 1 } }] } })).status, 200);
    assertTaken(await send('PATCH', '/users', { body: { users: [{ id: 'b', set: { name: 'SAME' } }] } }), 'users[b].name', 'SAME');
    // Names without a letter or digit are nobody's.
    assert.equal((await send('POST', '/users', { body: { users: { d: { name: '***' }, e: { name: '***' } } } })).status, 201);
    await send('PATCH', '/app', { body: { enforce_unique_usernames: 'no' } });
    assert.equal((await send('POST', '/users', { body: { users: { c: { name: 'Same' } } } })).status, 200);
  });

  it('UN3 within teams: a name is taken where a team is shared, and a user is let into a team only with a name that is free there', async () => {
    const { send } = await unique('team', {
      ...JOHN,
      other: { name: 'john doe', teams: ['b'] },
      old1: { name: 'Same', teams: ['r', 'g'] },
      old2: { name: 'Same', teams: ['g'] },
      free: { name: 'John Doe' },
    });
    const move = (id: string, teams: string[]) => send('PATCH', '/users', { body: { users: [{ id, set: { teams } }] } });
    assertTaken(await move('other', ['b', 'r']), 'users[other].name', 'john doe');
    assertTaken(
      await send('POST', '/users', { body: { users: { free: { name: 'John Doe', teams: ['b'] } } } }),
      'users[free].name',
      'John Doe',
    );
    assertTaken(
      await send('POST', '/users', { body: { users: { new1: { name: 'JOHN DOE', teams: ['x', 'b'] } } } }),
      'users[new1].name',
      'JOHN DOE',
    );
    assert.equal(
      (await send('POST', '/users', { body: { users: { new1: { name: 'JOHN DOE', teams: ['x'] }, new2: { name: 'John Doe' } } } })).status,
      201,
    );
    // The team in which the name was shared before may be named again; one in which it is new may not.
    assert.equal((await move('old2', ['g'])).status, 200);
    assert.equal((await move('old2', ['g', 'y'])).status, 200);
    assertTaken(await move('old2', ['g', 'r']), 'users[old2].name', 'Same');
    assert.equal((await move('john', ['z'])).status, 200);
    assert.equal((await move('other', ['b', 'r'])).status, 200);
  });

  it('UN4 a batch is judged by what all of it leads to: swaps and names that are given up, in any order', async () => {
    for (const isReversed of [false, true]) {
      const { send, backend } = await unique('app', { a: { name: 'Ann' }, b: { name: 'Bob' }, c: { name: 'Cem' } });
      const order = <T>(list: T[]) => (isReversed ? list.reverse() : list);
      const rename = async (names: Record<string, string>, isPatch: boolean) => {
        const entries = order(Object.entries(names));
        const { status, text } = isPatch
          ? await send('PATCH', '/users', { body: { users: entries.map(([id, name]) => ({ id, set: { name } })) } })
          : await send('POST', '/users', { body: { users: Object.fromEntries(entries.map(([id, name]) => [id, { name }])) } });
        assert.ok(status < 300, text);
        for (const [id, name] of entries) assert.equal(backend.directory.user(id)?.name, name);
      };
      await rename({ a: 'Bob', b: 'Ann' }, false);
      await rename({ a: 'Ann', b: 'Bob' }, true);
      await rename({ a: 'Bob', b: 'Cem', c: 'Ann' }, true);
      await rename({ a: 'New', d: 'bob' }, false);
      const clash = order([
        { id: 'a', set: { name: 'Zed' } },
        { id: 'b', set: { name: 'zed' } },
      ]);
      const refused = await send('PATCH', '/users', { body: { users: clash } });
      assertTaken(refused, `users[${clash[1]?.id}].name`, clash[1]?.set.name ?? '');
      assert.equal(refused.body.errors.length, 1);
      // Who holds a name that it keeps is not asked to give way, wherever it stands in the batch.
      const kept = order([
        { id: 'a', set: { name: 'cem' } },
        { id: 'b', set: { x: 1 } },
      ]);
      assertTaken(await send('PATCH', '/users', { body: { users: kept } }), 'users[a].name', 'cem');
    }
  });

  it('UN5 switching it on says which names are shared, and how many; at other times nothing is said', async () => {
    const { send } = await unique('no', {
      ...Object.fromEntries(
        [1, 2, 3].map((n) => [`john${n}`, { name: 'John Doe'.slice(0, n === 3 ? 4 : 8), teams: [`t${n % 2}`, 'all'] }]),
      ),
      jon: { name: 'JOHN', teams: ['t1'] },
      alone: { name: 'Alone' },
      dots: { name: '...' },
      dots2: { name: '!!!' },
    });
    const app = (await send('PATCH', '/api/v2/app', { body: { enforce_unique_usernames: 'app', name: 'x' } })).body.collisions;
    assert.equal(app.total, 2);
    assert.deepEqual(app.examples, [
      { name: 'John', user_ids: ['john3', 'jon'], users: 2 },
      { name: 'John Doe', user_ids: ['john1', 'john2'], users: 2 },
    ]);
    assert.equal('collisions' in (await send('PATCH', '/app', { body: { enforce_unique_usernames: 'app' } })).body, false);
    assert.equal('collisions' in (await send('PATCH', '/app', { body: { name: 'y' } })).body, false);
    const team = (await send('PATCH', '/app', { body: { enforce_unique_usernames: 'team' } })).body.collisions;
    assert.deepEqual(team, {
      total: 2,
      examples: [
        { name: 'John', team: 't1', user_ids: ['john3', 'jon'], users: 2 },
        { name: 'John Doe', team: 'all', user_ids: ['john1', 'john2'], users: 2 },
      ],
    });
    assert.equal('collisions' in (await send('PATCH', '/app', { body: { enforce_unique_usernames: 'no' } })).body, false);
    for (let start = 0; start < 400; start += 100) {
      const batch = Array.from({ length: 100 }, (_, n) => [`u${start + n}`, { name: start < 200 ? 'everyone' : `n${n}` }]);
      await send('POST', '/users', { body: { users: Object.fromEntries(batch) } });
    }
    const many = (await send('PATCH', '/app', { body: { enforce_unique_usernames: 'app' } })).body.collisions;
    assert.deepEqual([many.total, many.examples.length], [103, 100]);
    const everyone = many.examples.find(({ name }: { name: string }) => name === 'everyone');
    assert.deepEqual([everyone.users, everyone.user_ids.length], [200, 100]);
  });
});
