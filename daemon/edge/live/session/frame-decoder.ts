/** Reads a message of a live client, as text or as an object: the result is one frame, or what is wrong with it. */
import { Compile } from 'typebox/compile';
import { overfull } from '../../../../protocol/base/explain.ts';
import { isObject } from '../../../../protocol/base/json.ts';
import { tooDeep } from '../../../../protocol/base/reading.ts';
import { CLIENT_FRAMES, type ClientFrame } from '../../../../protocol/live/client-frames.ts';
import { inexactFields } from '../../../../protocol/users/exact-fields.ts';

const CHECKS = {
  connect: Compile(CLIENT_FRAMES.connect),
  sub: Compile(CLIENT_FRAMES.sub),
  page: Compile(CLIENT_FRAMES.page),
  unsub: Compile(CLIENT_FRAMES.unsub),
  update: Compile(CLIENT_FRAMES.update),
  upsert: Compile(CLIENT_FRAMES.upsert),
  refresh: Compile(CLIENT_FRAMES.refresh),
  ack: Compile(CLIENT_FRAMES.ack),
  ping: Compile(CLIENT_FRAMES.ping),
};

/** `bad` is not of this protocol and ends the connection; `invalid` has a wrong field and is answered with an error. */
export type Decoded =
  | { readonly kind: 'frame'; readonly frame: ClientFrame }
  | { readonly kind: 'invalid'; readonly op: ClientFrame['op']; readonly id: unknown; readonly reason: string }
  | { readonly kind: 'bad'; readonly reason: string };

export function decodeFrame(text: string): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'bad', reason: 'the frame is not JSON' };
  }
  if (!isObject(value)) return { kind: 'bad', reason: 'the frame must be a JSON object' };
  const [inexact] = isOp(value.op) ? inexactFields(text) : [];
  if (inexact === undefined || !isOp(value.op)) return checkFrame(value);
  return { kind: 'invalid', op: value.op, id: value.id, reason: `${inexact.path}: ${inexact.message}` };
}

/** As `decodeFrame`, for one who only looks on: no frame that writes anything, the position of a durable consumer included. */
export function decodeLookingOn(text: string): Decoded {
  const decoded = decodeFrame(text);
  if (decoded.kind !== 'frame') return decoded;
  const { op, id } = decoded.frame;
  if (!LOOKING_ON.has(op)) return { kind: 'invalid', op, id, reason: `${op}: the console only looks on` };
  if (decoded.frame.op !== 'connect' || decoded.frame.durable === undefined) return decoded;
  return { kind: 'invalid', op, id, reason: 'durable: the console only looks on' };
}

const LOOKING_ON: ReadonlySet<ClientFrame['op']> = new Set(['connect', 'sub', 'page', 'unsub', 'ping']);

export function checkFrame(value: Readonly<Record<string, unknown>>): Decoded {
  const { op, id } = value;
  if (!isOp(op)) return { kind: 'bad', reason: `op: must be one of ${Object.keys(CLIENT_FRAMES).join(', ')}` };
  const check = CHECKS[op];
  const wrong = tooDeep(value) ?? overfull(check.Type(), value, '')[0];
  if (wrong !== undefined) return { kind: 'invalid', op, id, reason: `${wrong.path}: ${wrong.message}` };
  // The check for this `op` guarantees the type.
  if (check.Check(value)) return { kind: 'frame', frame: value as ClientFrame };
  const [first] = check.Errors(value);
  const path = first?.instancePath.slice(1).replaceAll('/', '.') || op;
  return { kind: 'invalid', op, id, reason: `${path}: ${first?.message ?? 'is not valid'}` };
}

export function isOp(op: unknown): op is ClientFrame['op'] {
  return typeof op === 'string' && Object.hasOwn(CLIENT_FRAMES, op);
}
