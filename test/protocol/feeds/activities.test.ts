/** The parts of the feeds dialect by themselves: data, references, ids made of time, the order of a feed: FD1–FD9. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Docs } from '../../../daemon/core/directory/documents.ts';
import { Timeline } from '../../../daemon/core/directory/timeline.ts';
import type { Json, JsonObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { type Activity, decodeActivities, parseFeedsTime, renderActivity, toFeedsTime } from '../../../protocol/feeds/activities.ts';
import { decodeActivityNames, decodeFeedPage } from '../../../protocol/feeds/queries.ts';
import { countReferences, missingReference, parseReference, replaceReferences } from '../../../protocol/feeds/references.ts';
import { timeOfUuid, timeUuid } from '../../../protocol/feeds/time-uuid.ts';
import { decodeFeedsUser, decodeFeedsUsers, renderFeedsUser } from '../../../protocol/feeds/users.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';

function stored(data: JsonObject): StoredUser {
  const { id, name, image, custom } = decodeFeedsUser({ id: 'ann', data });
  const times = { created_at: 1_715_000_000_000_001, updated_at: 1_715_000_000_000_002 };
  const texts = { ...(name === undefined ? undefined : { name }), ...(image === undefined ? undefined : { image }) };
  return { id, rev: 1, role: 'user', teams: [], custom, ...times, ...texts };
}

describe('data of a user', () => {
  it('FD1 name and image are those of the record when they are texts, everything else is custom data', () => {
    const { name, image, custom } = decodeFeedsUser({ id: 'ann', data: { color: 'red', name: 'Ann', image: 'http://a/b.png' } });
    assert.deepEqual({ name, image, custom }, { name: 'Ann', image: 'http://a/b.png', custom: { color: 'red' } });
    for (const odd of [5, '', null, true, ['x'], { first: 'Ann' }]) {
      const user = decodeFeedsUser({ id: 'ann', data: { name: odd, image: odd } });
      assert.deepEqual(user, { id: 'ann', custom: { name: odd, image: odd } });
    }
  });

  it('FD1 reserved names are words like any other', () => {
    const data = { role: 'admin', teams: ['red'], banned: true, id: 'bob', created_at: 1, custom: { role: 'admin' } };
    assert.deepEqual(decodeFeedsUser({ id: 'ann', data }), { id: 'ann', custom: data });
  });

  it('FD2 what was sent is shown, name and image first, in one order everywhere', () => {
    const rendered = renderFeedsUser(stored({ color: 'red', image: 'i', age: 7, name: 'Ann' }));
    assert.equal(
      JSON.stringify(rendered),
      '{"id":"ann","data":{"name":"Ann","image":"i","color":"red","age":7},"created_at":"2024-05-06T12:53:20.000001Z","updated_at":"2024-05-06T12:53:20.000002Z"}',
    );
  });

  it('FD2 a name of the record stands before one that another dialect put into custom data', () => {
    assert.deepEqual(renderFeedsUser({ ...stored({}), name: 'Ann', custom: { name: 'other', a: 1 } }).data, { name: 'Ann', a: 1 });
    assert.deepEqual(renderFeedsUser({ ...stored({}), custom: { name: 'other' } }).data, { name: 'other' });
  });

  it('FD2 whatever data is sent can be read back', () => {
    const key = fc.oneof(fc.constantFrom('name', 'image', 'role', 'id', 'toString'), fc.string());
    const fine = key.filter((name) => !['__proto__', 'prototype', 'constructor'].includes(name));
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string()),
      fc.dictionary(fine, fc.string()),
    );
    fc.assert(
      fc.property(fc.dictionary(fine, value), (data) => {
        const sent: JsonObject = JSON.parse(JSON.stringify(data));
        assert.deepEqual(renderFeedsUser(stored(sent)).data, sent);
      }),
    );
  });

  it('FD3 data is an object, and an empty list, null and nothing are an empty one', () => {
    for (const data of [undefined, null, [], {}]) assert.deepEqual(decodeFeedsUser({ id: 'ann', data }), { id: 'ann', custom: {} });
    for (const data of ['text', 7, true, [1]]) assert.deepEqual(refusedFields(() => decodeFeedsUser({ id: 'ann', data }))[0]?.path, 'data');
  });

  it('FD3 names that reach a prototype, and nesting without end, are refused with their place', () => {
    const body = (data: string): unknown => JSON.parse(`{"id":"ann","data":${data}}`);
    assert.equal(refusedFields(() => decodeFeedsUser(body('{"__proto__":{}}')))[0]?.path, 'data.__proto__');
    assert.equal(refusedFields(() => decodeFeedsUser(body('{"a":[{"constructor":1}]}')))[0]?.path, 'data.a[0].constructor');
    const deep = `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`;
    assert.match(refusedFields(() => decodeFeedsUser(body(deep)))[0]?.message ?? '', /nested deeper than 32/);
  });

  it('FD4 10,240 bytes of compact UTF-8 are allowed and one more is too big', () => {
    const frame = '{"t":""}'.length;
    for (const [char, bytes] of [
      ['x', 1],
      ['é', 2],
      ['😀', 4],
    ] as const) {
      const full = char.repeat((LIMITS.feedsDataBytes - frame) / bytes);
      assert.equal(decodeFeedsUser({ id: 'ann', data: { t: full } }).custom.t, full);
      const error = refusal(() => decodeFeedsUser({ id: 'ann', data: { t: `${full}x` } }));
      assert.equal(error.kind, 'too_big');
      assert.equal(error.message, 'data: is 10241 bytes; at most 10240 are allowed');
    }
  });

  it('FD5 ids have letters, digits, _ and -, and no @', () => {
    for (const id of ['a', 'John-Doe_7', 'x'.repeat(255)]) assert.equal(decodeFeedsUser({ id }).id, id);
    for (const id of ['', 'a@b', 'a b', 'a.b', 'ä', 'x'.repeat(256), '__proto__', 'a\n']) {
      assert.equal(refusedFields(() => decodeFeedsUser({ id }))[0]?.path, 'id', JSON.stringify(id));
    }
  });

  it('FD5 every wrong id of many is named, and so is one that is there twice', () => {
    const users = [{ id: 'a b' }, { id: 'ann' }, { id: 'ann' }, { id: '' }];
    assert.deepEqual(
      refusedFields(() => decodeFeedsUsers({ users })).map(({ path }) => path),
      ['users[0].id', 'users[2].id', 'users[3].id'],
    );
  });
});

describe('references', () => {
  it('FD6 only the published forms are references', () => {
    assert.deepEqual(parseReference('SU:ann-7'), { type: 'user', id: 'ann-7', text: 'SU:ann-7' });
    assert.deepEqual(parseReference('SO:food:burger'), { type: 'object', collection: 'food', id: 'burger', text: 'SO:food:burger' });
    assert.equal(parseReference('SA:54a60c1e-4ee3-494b-a1e3-50c06acb5ed4')?.type, 'activity');
    assert.equal(parseReference('SR:54a60c1e')?.type, 'reaction');
    for (const text of [
      '',
      'S',
      'SU:',
      'SU:a b',
      'SU:__proto__',
      'SUnshine',
      'su:ann',
      ' SU:ann',
      'SO:food',
      'SO:a:b:c',
      'SX:ann',
      'SA:',
    ]) {
      assert.equal(parseReference(text), undefined, text);
    }
  });

  it('FD6 what is missing says so, in the published form', () => {
    const missing = (text: string): JsonObject | undefined => {
      const reference = parseReference(text);
      return reference && missingReference(reference);
    };
    assert.deepEqual(missing('SU:ann'), { id: 'ann', error: 'ReferenceNotFound', reference: 'SU:ann', reference_type: 'user' });
    assert.deepEqual(missing('SO:food:burger'), {
      id: 'burger',
      collection: 'food',
      error: 'ReferenceNotFound',
      reference: 'SO:food:burger',
      reference_type: 'object',
    });
    assert.deepEqual(missing('SR:r1'), { id: 'r1', error: 'ReferenceNotFound', reference: 'SR:r1', reference_type: 'reaction' });
  });

  it('FD6 references are replaced at any depth, once, and nothing else is touched', () => {
    const value: Json = { a: 'SU:ann', b: ['SU:bob', 'text', 5, null, { c: 'SU:ann' }], d: 'SUnshine' };
    assert.equal(countReferences(value), 3);
    const found = replaceReferences(value, ({ id }) => ({ user: id, again: 'SU:ann' }));
    const ann = { user: 'ann', again: 'SU:ann' };
    assert.deepEqual(found, { a: ann, b: [{ user: 'bob', again: 'SU:ann' }, 'text', 5, null, { c: ann }], d: 'SUnshine' });
  });
});

describe('ids made of a time', () => {
  const node = Uint8Array.of(1, 2, 3, 4, 5, 6);

  it('FD7 a published id of version 1 has the published time', () => {
    // RFC 9562, appendix A.1: 2022-02-22T19:22:22.000000Z.
    assert.equal(timeOfUuid('C232AB00-9414-11EC-B3C8-9F6BDECED846'), Date.UTC(2022, 1, 22, 19, 22, 22) * 1000);
    const own = timeUuid(Date.UTC(2022, 1, 22, 19, 22, 22) * 1000, 0x33c8, Uint8Array.of(0x9f, 0x6b, 0xde, 0xce, 0xd8, 0x46));
    assert.equal(own, 'c232ab00-9414-11ec-b3c8-9f6bdeced846');
  });

  it('FD7 the time can be read back, and the order of one time is that of the ids', () => {
    fc.assert(
      fc.property(fc.nat(8_000_000_000_000_000), fc.nat(0x3fff), fc.nat(0x3fff), (time, a, b) => {
        const [first, second] = [timeUuid(time, a, node), timeUuid(time, b, node)];
        assert.match(first, /^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        assert.equal(timeOfUuid(first), time);
        assert.equal(Math.sign(a - b), first < second ? -1 : first > second ? 1 : 0);
      }),
    );
  });

  it('FD7 what is no such id has no time', () => {
    for (const id of [
      '',
      'x',
      '54a60c1e-4ee3-494b-a1e3-50c06acb5ed4',
      'c232ab00941411ecb3c89f6bdeced846',
      '00000000-0000-1000-8000-000000000000',
    ]) {
      assert.equal(timeOfUuid(id), undefined, id);
    }
  });
});

describe('the order of a feed', () => {
  it('FD8 a stretch is what sorting and cutting a plain list gives, whatever comes and goes in which order', () => {
    const place = fc.record({ time: fc.nat(30), id: fc.constantFrom(...'abcdef') });
    const bound = fc.record({ time: fc.nat(30), id: fc.constantFrom(...'abcdef'), inclusive: fc.boolean() });
    const step = fc.record({ place, isRemoved: fc.boolean(), look: fc.boolean() });
    const order = (a: { time: number; id: string }, b: { time: number; id: string }): number =>
      a.time - b.time || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
    const stretch = fc.record({
      after: fc.array(bound, { maxLength: 2 }),
      before: fc.array(bound, { maxLength: 2 }),
      offset: fc.nat(5),
      limit: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), stretch, (steps, wanted) => {
        const timeline = new Timeline();
        const plain: { time: number; id: string }[] = [];
        for (const { place: at, isRemoved, look } of steps) {
          const known = plain.findIndex((other) => order(other, at) === 0);
          if (isRemoved) {
            timeline.remove(at);
            if (known >= 0) plain.splice(known, 1);
          } else if (known < 0) {
            timeline.add(at);
            plain.push(at);
          }
          if (look) timeline.newest({ limit: 1 });
        }
        const expected = plain
          .sort(order)
          .filter((at) => wanted.after.every((edge) => order(at, edge) > (edge.inclusive ? -1 : 0)))
          .filter((at) => wanted.before.every((edge) => order(at, edge) < (edge.inclusive ? 1 : 0)))
          .reverse()
          .slice(wanted.offset, wanted.offset + wanted.limit);
        assert.deepEqual(
          timeline.newest(wanted),
          expected.map(({ id }) => id),
        );
        assert.equal(timeline.size, plain.length);
        assert.deepEqual(
          [...timeline],
          plain.map(({ id }) => id),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('FD8 a page of a feed with 100,000 activities is not sorted for every request', () => {
    const docs = new Docs();
    const add = (index: number): void => {
      const time = 1_715_000_000_000_000 + index;
      const id = timeUuid(time, 0, Uint8Array.of(0, 0, 0, 0, 0, 0));
      const doc: Activity = { id, feeds: ['user:ann'], origin: 'user:ann', time, data: {} };
      docs.put({ kind: 'activity', id, doc });
    };
    for (let index = 0; index < 100_000; index++) add(index);
    docs.newest('activity', 'user:ann', { limit: 1 });
    const startedMs = performance.now();
    for (let round = 0; round < 1_000; round++) {
      add(100_000 + round);
      assert.equal(docs.newest('activity', 'user:ann', { limit: 25, offset: 50_000 }).length, 25);
    }
    const ms = (performance.now() - startedMs) / 1_000;
    // Sorting, or walking, a hundred thousand takes milliseconds; a look at the index takes hundredths of one.
    assert.ok(ms < 1, `${ms} ms for one activity and one page`);
    assert.equal(docs.countUnder('activity', 'user:ann'), 101_000);
  });

  it('FD8 an activity is found under every feed it is in, with its foreign id too, and under none it left', () => {
    const docs = new Docs();
    const doc: Activity = { id: 'i', feeds: ['user:ann', 'all:one'], origin: 'user:ann', foreign_id: 'f 1', time: 5, data: {} };
    docs.put({ kind: 'activity', id: 'i', doc });
    const where = (): string[] =>
      ['user:ann', 'all:one', 'user:ann f 1', 'all:one f 1'].filter((key) => docs.newest('activity', key, { limit: 9 }).length > 0);
    assert.deepEqual(where(), ['user:ann', 'all:one', 'user:ann f 1', 'all:one f 1']);
    docs.put({ kind: 'activity', id: 'i', doc: { ...doc, feeds: ['user:ann'] } });
    assert.deepEqual(where(), ['user:ann', 'user:ann f 1']);
    docs.put({ kind: 'activity', id: 'i', doc: null });
    assert.deepEqual(where(), []);
    assert.equal(docs.countUnder('activity', 'user:ann'), 0);
  });
});

describe('activities', () => {
  const good = { actor: 'SU:ann', verb: 'post', object: 'p:1' };
  const one = (body: unknown, own?: string) => decodeActivities(body, own).activities[0];

  it('FD9 times may have a zone or none, and are shown without one', () => {
    const micros = Date.UTC(2024, 4, 6, 7, 8, 9) * 1000 + 123_456;
    for (const text of [
      '2024-05-06T07:08:09.123456',
      '2024-05-06T07:08:09.123456Z',
      '2024-05-06T09:08:09.123456+02:00',
      '2024-05-06 07:08:09.123456',
    ]) {
      assert.equal(parseFeedsTime(text), micros, text);
    }
    assert.equal(toFeedsTime(micros), '2024-05-06T07:08:09.123456');
    for (const text of ['', 'yesterday', '2024-02-30T00:00:00', '1969-12-31T23:59:59Z', 7, null])
      assert.equal(parseFeedsTime(text), undefined);
  });

  it('FD9 everything that is missing is named', () => {
    assert.deepEqual(
      refusedFields(() => decodeActivities({ verb: '', actor: null }, undefined)).map(({ path }) => path),
      ['actor', 'verb', 'object'],
    );
    assert.deepEqual(
      refusedFields(() => decodeActivities({ activities: [good, { actor: 'a', object: 1 }] }, undefined)).map(({ path }) => path),
      ['activities[1].verb'],
    );
  });

  it('FD9 what clients send for nothing is nothing', () => {
    const sent = one({ ...good, target: '', foreign_id: '', time: '', to: null, id: 'mine', origin: 'else:where', extra: null }, undefined);
    assert.deepEqual(sent, { to: [], data: { ...good, extra: null } });
    assert.deepEqual(one({ actor: 1, verb: 'post', object: 2 }, undefined)?.data, { actor: '1', verb: 'post', object: '2' });
  });

  it('FD9 targets are feeds, once each, with or without a signature behind them', () => {
    const sent = one({ ...good, to: ['user:bob', 'user:bob abc.def.ghi', 'all:one'] }, undefined);
    assert.deepEqual(sent?.to, ['user:bob', 'all:one']);
    assert.deepEqual(sent?.data.to, ['user:bob', 'all:one']);
    for (const target of ['bob', 'user:', ':bob', 'user:a:b', 'bad-slug:bob', 'user:a@b', '']) {
      assert.match(refusedFields(() => decodeActivities({ ...good, to: [target] }, undefined))[0]?.path ?? '', /^to\[0\]/, target);
    }
  });

  it('FD10 a client’s activities are its own, said or unsaid', () => {
    const { actor: _, ...unsaid } = good;
    assert.equal(one(unsaid, 'SU:ann')?.data.actor, 'SU:ann');
    assert.equal(one(good, 'SU:ann')?.data.actor, 'SU:ann');
    assert.equal(refusal(() => decodeActivities(good, 'SU:bob')).kind, 'not_allowed');
    assert.equal(refusal(() => decodeActivities({ ...good, actor: 7 }, 'SU:ann')).kind, 'not_allowed');
  });

  it('FD9 size, nesting and references of one activity are bounded', () => {
    assert.equal(refusal(() => decodeActivities({ ...good, text: 'x'.repeat(LIMITS.activityBytes) }, undefined)).kind, 'too_big');
    const references = (count: number) => ({ ...good, by: Array.from({ length: count - 1 }, () => 'SU:bob') });
    assert.equal(one(references(LIMITS.referencesPerActivity), undefined)?.to.length, 0);
    assert.match(
      refusal(() => decodeActivities(references(LIMITS.referencesPerActivity + 1), undefined)).message,
      /more than 20 references/,
    );
    const deep = JSON.parse(`{"actor":"a","verb":"b","object":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
    assert.match(refusal(() => decodeActivities(deep, undefined)).message, /nested deeper than 32/);
  });

  it('FD11 an activity is shown in one form, and its origin where it came from elsewhere', () => {
    const activity: Activity = { id: 'i', feeds: ['user:ann', 'all:one'], origin: 'user:ann', time: 0, data: { mood: 'fine', ...good } };
    assert.equal(
      JSON.stringify(renderActivity(activity, 'user:ann')),
      '{"id":"i","foreign_id":"","time":"1970-01-01T00:00:00.000000","actor":"SU:ann","verb":"post","object":"p:1","target":"","origin":null,"mood":"fine"}',
    );
    assert.equal(renderActivity(activity, 'all:one').origin, 'user:ann');
  });

  it('FD12 pages: 25 by default, 100 at most, bounds by id', () => {
    assert.deepEqual(decodeFeedPage({}), { after: [], before: [], offset: 0, limit: 25 });
    assert.equal(decodeFeedPage({ limit: '100', offset: '7' }).limit, 100);
    const wrong = { limit: '101', offset: '-1', id_lt: 'x', id_gte: '54a60c1e-4ee3-494b-a1e3-50c06acb5ed4' };
    assert.deepEqual(
      refusedFields(() => decodeFeedPage(wrong))
        .map(({ path }) => path)
        .sort(),
      ['id_gte', 'id_lt', 'limit', 'offset'],
    );
  });

  it('FD12 activities are named by id, or by pairs of foreign id and time', () => {
    assert.deepEqual(decodeActivityNames({ ids: 'A,b' }), { by: 'id', ids: ['a', 'b'] });
    const pairs = decodeActivityNames({ foreign_ids: 'x,y', timestamps: '1970-01-01T00:00:01,1970-01-01T00:00:02Z' });
    assert.deepEqual(pairs, {
      by: 'foreign id',
      pairs: [
        { foreignId: 'x', time: 1_000_000 },
        { foreignId: 'y', time: 2_000_000 },
      ],
    });
    assert.equal(refusedFields(() => decodeActivityNames({}))[0]?.path, 'ids');
    assert.equal(
      refusedFields(() => decodeActivityNames({ foreign_ids: 'x,y', timestamps: '1970-01-01T00:00:01' }))[0]?.path,
      'timestamps',
    );
    assert.equal(refusedFields(() => decodeActivityNames({ foreign_ids: 'x', timestamps: 'now' }))[0]?.path, 'timestamps[0]');
    assert.equal(refusedFields(() => decodeActivityNames({ ids: Array(101).fill('a').join(',') }))[0]?.path, 'ids');
  });
});
