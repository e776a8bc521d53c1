/** Frames that are compressed once for many receivers: LV64. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, createInflateRaw, type InflateRaw } from 'node:zlib';
import { acceptableOffer, PackedFrames } from '../../../../daemon/edge/live/websocket/packed-frames.ts';
import { eachPayload, eachText, textFrame, textFrames } from '../../../../daemon/pipeline/tell/frame.ts';
import { seeded, testOption } from '../../../support/random.ts';

/** More than those that get the same bytes as they are. */
const MANY = 40;

/** A receiver that keeps what it unpacked from one message to the next, as RFC 7692 has it. */
class Receiver {
  readonly texts: string[] = [];
  readonly #inflate: InflateRaw = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });

  async take(frames: Buffer): Promise<void> {
    let at = 0;
    for (const payload of eachPayload(frames)) {
      const first = frames[at] ?? 0;
      // Parts of the same memory: the payload ends where the next frame begins.
      at = payload.byteOffset - frames.byteOffset + payload.length;
      assert.ok(first === 0x81 || first === 0xc1, `a frame begins with ${first}`);
      this.texts.push(first === 0x81 ? payload.toString() : await this.#unpack(payload));
    }
    assert.equal(at, frames.length);
  }

  async #unpack(payload: Buffer): Promise<string> {
    const parts: Buffer[] = [];
    const take = (part: Buffer): void => void parts.push(part);
    this.#inflate.on('data', take);
    this.#inflate.write(payload);
    this.#inflate.write(Buffer.from([0, 0, 0xff, 0xff]));
    await new Promise<void>((resolve) => this.#inflate.flush(() => resolve()));
    this.#inflate.off('data', take);
    return Buffer.concat(parts).toString();
  }
}

const event = (n: number): string =>
  JSON.stringify({
    type: 'user.updated',
    seq: n,
    created_at: `2026-12-01T16:00:00.${100_000 + n}Z`,
    user: { id: `user-${n}`, name: `Zoë ${n}`, image: `https://example.com/avatars/${n}.png`, role: 'user', teams: ['red'], custom: { n } },
  });

/** What the last of many receivers is sent. */
function packedFor(many: PackedFrames, frames: Buffer): Buffer {
  let last = frames;
  for (let n = 0; n < MANY; n++) last = many.of(frames);
  return last;
}

test('LV64 what many get is packed once: a tenth of the bytes, the same object for all of them', () => {
  const packed = new PackedFrames();
  const frames = textFrames(Array.from({ length: 100 }, (_, n) => event(n)));
  const sent = Array.from({ length: MANY }, () => packed.of(frames));
  const small = sent.filter((bytes) => bytes !== frames);
  assert.ok(small.length > MANY / 2, `${small.length} of ${MANY} receivers`);
  assert.equal(new Set(small).size, 1);
  assert.ok((small[0]?.length ?? 0) < frames.length * 0.15, `${small[0]?.length} of ${frames.length} bytes`);
});

test('LV64 a receiver unpacks every message, whatever it was sent before: packed, plain, of this buffer or another one', async () => {
  const seed = testOption('seed', Math.floor(Math.random() * 2 ** 31));
  const random = seeded(seed);
  const packed = new PackedFrames();
  const text = (): string => {
    const kind = random();
    if (kind < 0.1) return '';
    if (kind < 0.2) return Array.from({ length: Math.floor(random() * 3_000) }, () => String.fromCharCode(32 + random() * 900)).join('');
    if (kind < 0.3) return event(1).repeat(Math.floor(random() * 300));
    return event(Math.floor(random() * 1_000_000));
  };
  const receivers = Array.from({ length: 4 }, () => new Receiver());
  const told = receivers.map((): string[] => []);
  let count = 0;
  for (let round = 0; round < 60; round++) {
    const texts = Array.from({ length: 1 + Math.floor(random() * 60) }, text);
    const frames = textFrames(texts);
    const bytes = packedFor(packed, frames);
    if (bytes !== frames) count++;
    for (const [n, receiver] of receivers.entries()) {
      // Each gets another choice of what is told, packed or not.
      if (random() < 0.3) continue;
      await receiver.take(random() < 0.8 ? bytes : frames);
      told[n]?.push(...texts);
    }
  }
  assert.ok(count > 20, `${count} of 60 rounds were packed`);
  for (const [n, { texts }] of receivers.entries()) assert.deepEqual(texts, told[n], `receiver ${n}, --seed ${seed}`);
});

test('LV64 little, too much and what does not get smaller is sent as it is, also to many', () => {
  const packed = new PackedFrames();
  const random = seeded(7);
  const noise = Array.from({ length: 40 }, () =>
    String.fromCharCode(...Array.from({ length: 400 }, () => 0x4e00 + Math.floor(random() * 20_000))),
  );
  for (const frames of [textFrame(event(1)), textFrames(noise), textFrame(event(1).repeat(3_000))])
    assert.equal(packedFor(packed, frames), frames, `${frames.length} bytes`);
  // What could not be packed leaves nothing behind for what comes next.
  const fine = textFrames([event(2).repeat(3), event(3).repeat(12)]);
  assert.notEqual(packedFor(packed, fine), fine);
  assert.deepEqual([...eachText(fine)].length, 2);
});

test('LV64 only an offer that costs the daemon no memory for each connection is accepted', () => {
  const accepted = [
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate;client_max_window_bits=15',
    'Permessage-Deflate; client_no_context_takeover; client_max_window_bits = 9',
    'permessage-deflate; server_no_context_takeover; client_max_window_bits, permessage-deflate; client_max_window_bits="12"',
    'x-webkit-deflate-frame, permessage-deflate; client_max_window_bits',
  ];
  for (const header of accepted) assert.equal(acceptableOffer(header), 'permessage-deflate; client_max_window_bits', header);
  const refused = [
    undefined,
    '',
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits=8',
    'permessage-deflate; client_max_window_bits=16',
    'permessage-deflate; server_no_context_takeover; client_max_window_bits',
    'permessage-deflate; server_max_window_bits=10; client_max_window_bits',
    'permessage-deflate; client_max_window_bits; unheard_of',
    'permessage-deflate; client_max_window_bits="12',
    'deflate; client_max_window_bits',
    ';;,=',
  ];
  for (const header of refused) assert.equal(acceptableOffer(header), undefined, String(header));
});
