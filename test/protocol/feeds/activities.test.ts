/** Feeds: activities as they are sent and shown: FD9–FD11. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { type Activity, decodeActivities, parseFeedsTime, renderActivity, toFeedsTime } from '../../../protocol/feeds/activities.ts';
import { timeOfUuid, timeUuid } from '../../../protocol/feeds/time-uuid.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';

describe('activities', () => {
  const good = { actor: 'SU:ann', verb: 'post', object: 'p:1' };

  const one = (body: unknown, own?: string) => decodeActivities(body, own).activities[0];

  it('FD9 times may have a zone or none, and are shown without one', () => {
    const micros = Date.UTC(2024, 4, 6, 7, 8, 9) * 1000 + 123_456;
    for (const text of [
      '2024-05-06T07:08:09.123456',
      '2024-05-06T07:08:09.123456Z',
      '2024-05-06T09:08:09.123456+02:00',
      '2024-05-06T09:08:09.123456+0200',
      '2024-05-06 05:08:09.123456-0200',
      '2024-05-06 07:08:09.123456',
    ]) {
      assert.equal(parseFeedsTime(text), micros, text);
    }
    assert.equal(toFeedsTime(micros), '2024-05-06T07:08:09.123456');
    for (const text of [
      '',
      'yesterday',
      '2024-02-30T00:00:00',
      '2024-05-06T07:08:09+02',
      '2024-0506',
      '2024-05-06T07:08:09+02000',
      '1969-12-31T23:59:59Z',
      7,
      null,
    ])
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
    assert.deepEqual([one({ ...good, foreign_id: 7 })?.foreignId, one({ ...good, foreign_id: 0 })?.foreignId], ['7', '0']);
    assert.deepEqual(one({ actor: 1, verb: 'post', object: 2 }, undefined)?.data, { actor: '1', verb: 'post', object: '2' });
  });

  it('FD9 a target of megabytes, all of colons or spaces, is refused at once', () => {
    for (const unit of ['a:', 'a ', ': ']) {
      const body = { ...good, to: [unit.repeat(900_000)] };
      const took = Array.from({ length: 7 }, () => {
        const startedMs = performance.now();
        assert.equal(refusal(() => decodeActivities(body, undefined)).kind, 'input');
        return performance.now() - startedMs;
      });
      assert.ok(Math.min(...took) < 10, `${unit}: ${Math.min(...took)} ms`);
    }
  });

  it('FD9 a number is an id only where it is written as it was sent', () => {
    for (const number of [9007199254740992, 9.1e15, 1e21, 1.5, -(2 ** 53)]) {
      for (const field of ['actor', 'object', 'foreign_id']) {
        assert.deepEqual(
          refusedFields(() => decodeActivities({ ...good, [field]: number }, undefined)),
          [{ path: field, message: 'is no id: a number must be whole and at most 9007199254740991; write it as text' }],
          `${field} ${number}`,
        );
      }
    }
    assert.equal(one({ ...good, foreign_id: 9007199254740991 }, undefined)?.foreignId, '9007199254740991');
  });

  it('FD7 FD9 a time is one that an id can hold and every answer can show', () => {
    for (const time of ['9999-12-31T23:59:59-1200', '9999-12-31T23:59:59Z', '2300-01-01T00:00:00', '1969-12-31T23:59:59']) {
      assert.deepEqual(
        refusedFields(() => decodeActivities({ ...good, time }, undefined)).map(({ path }) => path),
        ['time'],
        time,
      );
    }
    const last = one({ ...good, time: '2255-06-01T00:00:00' }, undefined)?.time ?? 0;
    assert.equal(timeOfUuid(timeUuid(last, 0, new Uint8Array(6))), last);
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

  it('FD11 an activity is shown in one form, and its origin is the followed feed that it came from', () => {
    const activity: Activity = { id: 'i', feeds: ['user:ann', 'all:one'], origin: 'user:ann', time: 0, data: { mood: 'fine', ...good } };
    assert.equal(
      JSON.stringify(renderActivity(activity)),
      '{"id":"i","foreign_id":"","time":"1970-01-01T00:00:00.000000","actor":"SU:ann","verb":"post","object":"p:1","target":"","origin":null,"mood":"fine"}',
    );
    assert.equal(renderActivity(activity, { from: 'user:ann' }).origin, 'user:ann');
  });
});
