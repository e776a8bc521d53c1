/**
 * Socket.IO's own parser, which also sees the text of a packet: a whole number that cannot be kept becomes Infinity there,
 * and `SocketIoServer` refuses it in words.
 */
import { Decoder, Encoder } from 'socket.io-parser';
import { refusedNumbers } from '../../../../protocol/users/exact-fields.ts';

class ExactDecoder extends Decoder {
  override add(packet: unknown): void {
    super.add(typeof packet === 'string' ? marked(packet) : packet);
  }
}

export const exactParser = { Encoder, Decoder: ExactDecoder };

/** Before its payload, a packet holds digits and a namespace. */
function marked(packet: string): string {
  const start = Math.max(0, packet.search(/[[{]/));
  const payload = packet.slice(start);
  let text = packet.slice(0, start);
  let from = 0;
  for (const { at, digits } of refusedNumbers(payload)) {
    text += `${payload.slice(from, at)}1e999`;
    from = at + digits.length;
  }
  return from === 0 ? packet : text + payload.slice(from);
}
