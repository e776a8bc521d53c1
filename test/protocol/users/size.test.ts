/** US12: the size of a user's data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { dataProblem, roughDataBytes } from '../../../protocol/users/size.ts';

test('US12 the rough size is never less than the true one, also where it stops at a bound', () => {
  const json = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value)) as JsonObject);
  fc.assert(
    fc.property(fc.string(), json, fc.nat(2_000), (name, custom, most) => {
      const bytes = Buffer.byteLength(JSON.stringify({ name, custom }));
      assert.ok(roughDataBytes({ name, custom }) >= bytes);
      assert.ok(roughDataBytes({ name, custom }, most) >= Math.min(bytes, most));
    }),
  );
});

test('BU7 of data that is too big, only as much is counted as tells so', () => {
  let looked = 0;
  const key = (at: number): string => `key-${at}`;
  const custom = new Proxy<JsonObject>(Object.fromEntries(Array.from({ length: 50_000 }, (_, at) => [key(at), at])), {
    get: (target, name) => {
      looked++;
      return Reflect.get(target, name) as JsonObject;
    },
  });
  assert.ok(roughDataBytes({ custom }, LIMITS.serverUserBytes) > LIMITS.serverUserBytes);
  assert.ok(looked < 1_000, `${looked} values`);
  assert.match(dataProblem({ custom: { bio: 'x'.repeat(LIMITS.serverUserBytes) } }, 'server') ?? '', /at most 10240 are allowed/);
});
