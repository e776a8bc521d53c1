/** BU11: a frame nests only so deep, in text and as an object. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFrame, decodeFrame } from '../../../../daemon/edge/live/session/frame-decoder.ts';

const lists = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const objects = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
/** The frame is the first level. */
const FRAMES: readonly [head: string, tail: string, levels: number, place: string][] = [
  ['{"op":"sub","id":1,"sub":"s","filter":{"x":', '}}', 2, 'filter.x'],
  ['{"op":"sub","id":1,"sub":"s","filter":{"$or":[{"x":{"$in":[', ']}}]}}', 6, 'filter.$or[0].x'],
  ['{"op":"update","id":1,"set":{"x":', '}}', 2, 'set.x'],
  ['{"op":"ping","id":1,"z":', '}', 1, 'z'],
  ['{"op":"connect","id":1,"user":{"id":"ann","x":', '}}', 2, 'user.x'],
];

test('BU11 a frame with more than 64 levels is refused with its place, however deep it is and whatever it holds', () => {
  for (const [head, tail, levels, place] of FRAMES)
    for (const nested of [lists, objects]) {
      const textOf = (depth: number): string => head + nested(depth - levels) + tail;
      assert.notEqual(JSON.stringify(decodeFrame(textOf(64))).includes('nested deeper'), true);
      for (const depth of [65, 1_000, 12_000])
        for (const decoded of [decodeFrame(textOf(depth)), checkFrame(JSON.parse(textOf(depth)))]) {
          assert.ok(decoded.kind === 'invalid', place);
          assert.match(decoded.reason, /must not be nested deeper than 64 levels$/);
          assert.ok(decoded.reason.startsWith(place), decoded.reason);
        }
    }
});
