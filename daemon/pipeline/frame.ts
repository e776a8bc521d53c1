/**
 * WebSocket framing of what the hub sends (RFC 6455 §5.2): an unmasked, final
 * text frame is a header of 2, 4 or 10 bytes and the payload. Framing a message
 * once and writing the same bytes to every socket is what makes fan-out cheap.
 */

const FINAL_TEXT = 0x81;

/** One text frame holding `text`. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = FINAL_TEXT;
  if (header === 2) frame[1] = length;
  else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  frame.write(text, header, 'utf8');
  return frame;
}

/** The texts of frames that `textFrame` made, one after the other. */
export function* eachText(frames: Buffer): Iterable<string> {
  for (let at = 0; at < frames.length; ) {
    const short = frames[at + 1] ?? 0;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length = header === 2 ? short : header === 4 ? frames.readUInt16BE(at + 2) : frames.readUInt32BE(at + 6);
    at += header + length;
    yield frames.toString('utf8', at - length, at);
  }
}
