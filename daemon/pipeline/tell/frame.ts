/**
 * WebSocket framing of what the hub sends (RFC 6455 §5.2): an unmasked, final text frame is a header of 2, 4 or 10 bytes and the payload. A
 * message is framed once and the same bytes are written to every socket, which makes fan-out cheap.
 */

/** The first byte of a frame: the whole of a text message. */
export const FINAL_TEXT = 0x81;

/** One text frame holding `text`. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headerBytes(length) + length);
  writeFrame(frame, 0, text, length);
  return frame;
}

/** Text frames one after the other, in one buffer. */
export function textFrames(texts: readonly string[]): Buffer {
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + headerBytes(length) + length, 0));
  let at = 0;
  for (const [index, text] of texts.entries()) at = writeFrame(frames, at, text, lengths[index] ?? 0);
  return frames;
}

function headerBytes(length: number): 2 | 4 | 10 {
  return length < 126 ? 2 : length < 65_536 ? 4 : 10;
}

/** The longest header of a frame. */
export const HEADER_BYTES_MAX = 10;

/** Writes the header of a frame whose first byte is `first`. Returns its length. `length`: of the payload, in bytes. */
export function frameHeader(into: Buffer, at: number, first: number, length: number): number {
  const header = headerBytes(length);
  into[at] = first;
  if (header === 2) into[at + 1] = length;
  else if (header === 4) {
    into[at + 1] = 126;
    into.writeUInt16BE(length, at + 2);
  } else {
    into[at + 1] = 127;
    into.writeUInt32BE(0, at + 2);
    into.writeUInt32BE(length, at + 6);
  }
  return header;
}

/** Returns where the frame ends. `length`: of the text in UTF-8, in bytes. */
function writeFrame(into: Buffer, at: number, text: string, length: number): number {
  const header = frameHeader(into, at, FINAL_TEXT, length);
  into.write(text, at + header, length, 'utf8');
  return at + header + length;
}

/** The texts of frames that `textFrame` made, one after the other. */
export function* eachText(frames: Buffer): Iterable<string> {
  for (const payload of eachPayload(frames)) yield payload.toString('utf8');
}

/** Their payloads, as parts of the same memory. */
export function* eachPayload(frames: Buffer): Iterable<Buffer> {
  for (let at = 0; at < frames.length; ) {
    const short = frames[at + 1] ?? 0;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length = header === 2 ? short : header === 4 ? frames.readUInt16BE(at + 2) : frames.readUInt32BE(at + 6);
    at += header + length;
    yield frames.subarray(at - length, at);
  }
}
