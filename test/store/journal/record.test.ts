/** LG1, LG9: what a payload must be to count as an entry, and the bound of one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { ENTRY_VERSION } from '../../../protocol/log/entry.ts';
import { decodeEntry, encodePayload, type RecordHeader } from '../../../store/journal/record.ts';
import { draft } from '../../support/store/entries.ts';

const header = (facts: number, version = ENTRY_VERSION): RecordHeader => ({
  ...{ kind: 2, version, payloadBytes: 0, facts, first: 7, synced: 0, time: 0, payloadCrc: 0 },
});

test('LG9 a payload is an entry only in full: id, time, and as many facts as its header says', () => {
  const one = draft('e', { facts: 2 });
  const text = encodePayload(one);
  assert.deepEqual(decodeEntry(text, header(2)), { ...one, first: 7 });
  assert.equal(decodeEntry(text, header(2, ENTRY_VERSION + 1)), undefined);
  assert.deepEqual([decodeEntry(text, header(1)), decodeEntry(text, header(3))], [undefined, undefined]);
  for (const wrong of [
    '',
    '{',
    'null',
    '[]',
    '7',
    { ...one, id: 7 },
    { ...one, time: '7' },
    { ...one, facts: {} },
    { id: 'e', facts: [] },
  ]) {
    assert.equal(decodeEntry(typeof wrong === 'string' ? wrong : JSON.stringify(wrong), header(2)), undefined, JSON.stringify(wrong));
  }
});

test('LG1 an entry has at most so many bytes, whatever its characters take', () => {
  const sized = (bytes: number, character: string) => {
    const rest = bytes - Buffer.byteLength(JSON.stringify({ id: '', time: 1, facts: [] }));
    const size = Buffer.byteLength(character);
    return { id: character.repeat(Math.floor(rest / size)) + 'x'.repeat(rest % size), time: 1, facts: [] };
  };
  for (const character of ['x', 'é', '语']) {
    assert.equal(Buffer.byteLength(encodePayload(sized(LIMITS.entryBytes, character))), LIMITS.entryBytes);
    assert.throws(() => encodePayload(sized(LIMITS.entryBytes + 1, character)), RangeError);
  }
});
