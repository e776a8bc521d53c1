/**
 * Reads the JSON body of a request, never more than a bound, plain or compressed, with or without a length.
 *
 * A body that is too big is not read to its end here: the caller is answered at once and the rest is discarded, so that it receives the
 * answer.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, inflate, inflateRaw } from 'node:zlib';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { tooDeep } from '../../../protocol/base/reading.ts';
import { inexactFields } from '../../../protocol/users/exact-fields.ts';
import { joined } from '../../base/joined.ts';
import { BodyLane } from './body-lane.ts';
import { describeJsonError } from './json-error.ts';

const inflaters = { gzip: promisify(gunzip), deflate: promisify(inflate), 'raw deflate': promisify(inflateRaw) };

export interface BodyOptions {
  /** How many bytes it may have, also when it is unpacked. */
  readonly bytesMax?: number;
  /** How many values it may hold. */
  readonly valuesMax?: number;
  /** Receives the bytes that are parsed. */
  readonly onBytes?: (bytes: Buffer) => void;
  /** Where it waits for its turn. */
  readonly lane?: BodyLane;
}

/**
 * The parsed body; undefined when there is none. Throws RosterError: `input` for a content
 * type that is not JSON (there is no 415 in the closed list), an unknown encoding, bytes that are not UTF-8 and text that is not JSON;
 * `too_big` beyond a limit; `unavailable` when too many long ones arrive at once.
 */
export async function readJsonBody(
  request: IncomingMessage,
  { bytesMax = LIMITS.bodyBytes, valuesMax = LIMITS.bodyValues, onBytes, lane = new BodyLane(LIMITS.bodyBytes) }: BodyOptions = {},
): Promise<unknown> {
  const { headers } = request;
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return undefined;
  checkContentType(headers['content-type']);
  const encoding = encodingOf(headers['content-encoding']);
  if (Number(headers['content-length']) > bytesMax) throw tooBig('the body', bytesMax);
  let size = 0;
  const arrived = (bytes: number): void => {
    if (size + bytes > bytesMax) throw tooBig('the body', bytesMax);
    size += bytes;
    lane.arrived(bytes, size);
  };
  try {
    const sent = await bodyParts(request, arrived);
    return await lane.turn(size, encoding !== 'identity', async () => {
      const whole = joined(sent);
      const bytes = encoding === 'identity' ? whole : await decompress(whole, encoding, bytesMax);
      onBytes?.(bytes);
      return bytes.length === 0 ? undefined : parse(bytes, valuesMax);
    });
  } finally {
    lane.released(size);
  }
}

/** Parses JSON text; an error says where in the text it is, what nests too deep, or which number cannot be kept. `path` names the text in the error. */
export function parseJson(text: string, path: string): unknown {
  const value = parsed(text, path);
  const deep = tooDeep(value);
  if (deep !== undefined) throw fieldErrors('input', [{ ...deep, path: deep.path || path }]);
  const inexact = inexactFields(text);
  if (inexact.length > 0) throw fieldErrors('input', inexact);
  return value;
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw fieldErrors('input', [{ path, message: `is not JSON: ${describeJsonError(text)}` }]);
  }
}

function parse(bytes: Buffer, valuesMax: number): unknown {
  // A shorter body cannot hold so many.
  if (bytes.length > valuesMax) refuseTooMany(bytes, valuesMax);
  // Node would decode invalid UTF-8 to replacement characters, and so store something other than what was sent.
  if (!isUtf8(bytes)) throw fieldErrors('input', [{ path: 'body', message: 'is not UTF-8' }]);
  return parseJson(bytes.toString('utf8'), 'body');
}

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, OPEN_OBJECT] = [...'"\\,[{'].map((character) => character.charCodeAt(0));

/**
 * Refuses a body with too many values, before any is made: parsing a million of them would hold the event loop. Counts what separates
 * values, outside of texts.
 */
function refuseTooMany(bytes: Buffer, valuesMax: number): void {
  let values = 1;
  for (let at = 0; at < bytes.length && values <= valuesMax; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfText(bytes, at);
    else if (byte === COMMA || byte === OPEN_LIST || byte === OPEN_OBJECT) values++;
  }
  if (values > valuesMax) throw new RosterError('too_big', `the body holds more than ${valuesMax} values; send fewer items per request`);
}

/** Texts up to this length are looked through byte by byte; a search costs more to start. */
const SHORT_BYTES = 32;

/** The place of the quote that ends the text beginning at `at`. */
function endOfText(bytes: Buffer, at: number): number {
  for (let end = at + 1; end <= at + SHORT_BYTES; end++) {
    if (bytes[end] === QUOTE) return end;
    if (bytes[end] === BACKSLASH) break;
  }
  const quote = bytes.indexOf('"', at + 1);
  if (quote === -1) return bytes.length;
  if (bytes[quote - 1] !== BACKSLASH) return quote;
  // One search for each escaped quote would take longer than to look at every byte.
  let end = at + 1;
  while (end < bytes.length && bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1;
  return end;
}

export function tooBig(what: string, bytesMax: number): RosterError {
  return new RosterError('too_big', `${what} is bigger than ${bytesMax} bytes`);
}

/** A missing type counts as JSON: nothing else is accepted. */
function checkContentType(type: string | undefined): void {
  if (type === undefined || /^\s*application\/([\w.-]+\+)?json\s*(;|$)/i.test(type)) return;
  throw fieldErrors('input', [{ path: 'content-type', message: `must be application/json, got "${clip(type)}"` }]);
}

function encodingOf(header: string | undefined): 'identity' | 'gzip' | 'deflate' {
  switch (header?.trim().toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return 'identity';
    case 'gzip':
    case 'x-gzip':
      return 'gzip';
    case 'deflate':
      return 'deflate';
    default:
      throw fieldErrors('input', [{ path: 'content-encoding', message: `must be gzip or deflate, got "${clip(header ?? '')}"` }]);
  }
}

/**
 * All parts of the body. `arrived` learns of each part, and ends the reading when it throws: what is left is discarded, so that the peer gets
 * its answer. Rejects with that error, or with RosterError `input` when the request breaks off.
 */
export function bodyParts(request: IncomingMessage, arrived: (bytes: number) => void): Promise<readonly Buffer[]> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const settle = (act: () => void) => {
      request.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
      act();
    };
    const onData = (chunk: Buffer) => {
      try {
        arrived(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        settle(() => reject(error));
        request.resume();
      }
    };
    const onEnd = () => settle(() => resolve(chunks));
    const onCut = () => settle(() => reject(new RosterError('input', 'the request broke off before its end')));
    request.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
  });
}

async function decompress(bytes: Buffer, encoding: 'gzip' | 'deflate', bytesMax: number): Promise<Buffer> {
  // Some clients send deflate without the zlib header that the standard requires. The first byte shows it.
  const isRaw = encoding === 'deflate' && ((bytes[0] ?? 0) & 0x0f) !== 8;
  try {
    const unpacked = await inflaters[isRaw ? 'raw deflate' : encoding](bytes, { maxOutputLength: bytesMax });
    if (unpacked.length <= Math.max(LIMITS.ratioFreeBytes, bytes.length * LIMITS.compressionRatio)) return unpacked;
  } catch (error) {
    // zlib stops at the limit, so a decompression bomb is never unpacked further than that.
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') throw tooBig('the unpacked body', bytesMax);
    throw fieldErrors('input', [{ path: 'body', message: `is not whole ${encoding} data` }]);
  }
  throw new RosterError('too_big', `the body is compressed by more than ${LIMITS.compressionRatio} to 1; send it plain, or less of it`);
}
