/** Feeds: ids that are made of a time (FD7). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { timeOfUuid, timeUuid } from '../../../protocol/feeds/time-uuid.ts';

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
