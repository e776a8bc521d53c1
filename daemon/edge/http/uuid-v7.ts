/** UUIDs that sort by creation time (RFC 9562 §5.7): ids for lists in order of creation. */
import { randomBytes } from 'node:crypto';

const RANDOM_BYTES = 10;

/**
 * `nowMs` in the first 48 bits, then version, variant and 74 random bits, as 36 characters of lower-case hex and dashes.
 * `random` is for tests: ten bytes.
 */
export function uuidV7(nowMs: number, random: Uint8Array = randomBytes(RANDOM_BYTES)): string {
  if (!Number.isInteger(nowMs) || nowMs < 0 || nowMs >= 2 ** 48) throw new Error(`${nowMs} is not a time in milliseconds`);
  if (random.length !== RANDOM_BYTES) throw new Error(`${random.length} bytes are not ${RANDOM_BYTES}`);
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes.set(random, 6);
  bytes[6] = 0x70 | (bytes.readUInt8(6) & 0x0f);
  bytes[8] = 0x80 | (bytes.readUInt8(8) & 0x3f);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
