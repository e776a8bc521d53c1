/** HB2, HB3: frames of every length, alone and in a row. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachText, textFrame, textFrames } from '../../../daemon/pipeline/tell/frame.ts';

test('HB2 HB3 a text of any length is one final, unmasked text frame, and frames in a row are the same frames', () => {
  const lengths = [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 70_000];
  const texts = lengths.map((length) => 'ü'.repeat(length >> 1) + 'x'.repeat(length % 2));
  for (const [index, text] of texts.entries()) {
    const frame = textFrame(text);
    const length = lengths[index] ?? 0;
    const header = length < 126 ? [0x81, length] : length < 65_536 ? [0x81, 126, length >> 8, length & 255] : undefined;
    if (header !== undefined) assert.deepEqual([...frame.subarray(0, header.length)], header);
    else assert.deepEqual([frame[0], frame[1], frame.readBigUInt64BE(2)], [0x81, 127, BigInt(length)]);
    assert.equal(frame.subarray(header?.length ?? 10).toString(), text);
    assert.deepEqual([...eachText(frame)], [text]);
  }
  assert.deepEqual(textFrames(texts), Buffer.concat(texts.map(textFrame)));
  assert.deepEqual([...eachText(textFrames(texts))], texts);
});
