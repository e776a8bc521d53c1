/** The id of a delivery, and its signature with the API secret, by which a receiver recognizes it. */
import { createHash, createHmac } from 'node:crypto';

/** WH6: a UUID made from the position of the event and the hook, so that it is the same in every attempt and after every restart. */
export function webhookId(epoch: string, seq: number, hookId: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([epoch, seq, hookId]))
    .digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** WH6: lowercase hex HMAC-SHA256 of the body before compression. */
export function signatureOf(body: Buffer, apiSecret: string): string {
  return createHmac('sha256', apiSecret).update(body).digest('hex');
}
