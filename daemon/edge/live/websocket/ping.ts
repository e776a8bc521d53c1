/** What a ping carries, and its pong brings back: when it was sent, so that the round trip is known without a note of it. */

const PING_BYTES = 8;

/** The content of a ping that is sent now. */
export function pingNow(): Buffer {
  const content = Buffer.allocUnsafe(PING_BYTES);
  content.writeDoubleBE(performance.now());
  return content;
}

/**
 * Milliseconds since the ping whose content came back. Undefined for content that no ping of the last `maxMs` had: a peer may send whatever it
 * likes.
 */
export function roundTripMs(content: Buffer, maxMs: number): number | undefined {
  if (content.length !== PING_BYTES) return undefined;
  const ms = performance.now() - content.readDoubleBE();
  return ms >= 0 && ms <= maxMs ? ms : undefined;
}
