/**
 * Requests with an `Idempotency-Key`: the same request with the same key is carried out once, however often it is sent, and gets the same
 * answer.
 *
 * It keeps IK1–IK3 (daemon/RULES.md).
 */
import { createHash, randomUUID } from 'node:crypto';
import { fieldErrors } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { QueryFields } from '../../../protocol/base/reading.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import { type Command, isPlainCommand } from '../../../protocol/log/command.ts';
import type { DirectoryReader } from './backend.ts';
import type { Endpoint } from './endpoint.ts';

/** Only the key distinguishes one anonymous caller from another, so it must be hard to guess. A UUID has 36 characters. */
const ANONYMOUS_KEY_CHARS_MIN = 32;

/** Parameters that identify the caller and its connection, not what it asks for. */
const NOT_ASKED: ReadonlySet<string> = new Set(['api_key', 'authorization', 'stream-auth-type', 'connection_id']);

/** The parts of a request that are equal when it is sent again. */
export interface SentRequest {
  readonly endpoint: Pick<Endpoint, 'method' | 'path' | 'access'>;
  readonly params: Readonly<Record<string, string>>;
  readonly query: QueryFields;
  readonly caller: Caller;
  /** The header as it came. */
  readonly key: string | undefined;
}

function hash(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

function nameOf(caller: Caller): string {
  return caller.kind === 'user' ? `user ${caller.id}` : caller.kind;
}

/** Reads, and uploads with a URL that is good for one upload, need no key and ignore one. Throws RosterError `input`. */
function checkedKey({ endpoint, caller, key }: SentRequest): string | undefined {
  if (key === undefined || endpoint.method === 'GET' || endpoint.access === 'signed') return undefined;
  const path = 'idempotency-key';
  if (key === '') throw fieldErrors('input', [{ path, message: 'must not be empty' }]);
  if (key.length > LIMITS.idempotencyKeyChars) {
    throw fieldErrors('input', [{ path, message: `must not be longer than ${LIMITS.idempotencyKeyChars} characters` }]);
  }
  if (!/^[\x21-\x7e]+$/.test(key)) throw fieldErrors('input', [{ path, message: 'may contain only visible ASCII characters' }]);
  if (caller.kind === 'anonymous' && key.length < ANONYMOUS_KEY_CHARS_MIN) {
    const message = `must have at least ${ANONYMOUS_KEY_CHARS_MIN} characters without a token: nothing else tells one caller from another`;
    throw fieldErrors('input', [{ path, message }]);
  }
  return key;
}

/** The writes of one request. Without a key, commands are unchanged and ids are random. */
export class Writes {
  readonly #request: SentRequest;
  readonly #key: string | undefined;
  #body = '';
  #submits = 0;
  #ids = 0;

  /** Throws RosterError `input` for an invalid key. */
  constructor(request: SentRequest) {
    this.#request = request;
    const key = checkedKey(request);
    this.#key = key === undefined ? undefined : hash(nameOf(request.caller), key);
  }

  /** Takes the bytes of the body, unpacked, before anything is submitted. */
  noteBody(bytes: Buffer): void {
    if (this.#key !== undefined) this.#body = createHash('sha256').update(bytes).digest('base64url');
  }

  get #fingerprint(): string {
    const { endpoint, params, query } = this.#request;
    const asked = Object.entries(query).filter(([name]) => !NOT_ASKED.has(name));
    return hash(endpoint.method, endpoint.path, JSON.stringify(params), JSON.stringify(asked.sort()), this.#body);
  }

  #receiptId(index: number): string {
    return `${this.#key}-${index}`;
  }

  /** The command, to be carried out once if there is a key. A request may submit several commands; each has its own receipt. */
  wrapped(command: Command): Command {
    if (this.#key === undefined || !isPlainCommand(command)) return command;
    return { kind: 'once', key: this.#receiptId(this.#submits++), fingerprint: this.#fingerprint, command };
  }

  /**
   * Whether the next command was carried out before. The state that a handler checks before it submits then differs from the first time:
   * the handler skips the checks, submits, and answers with the outcome.
   */
  isRepeat({ docs }: Pick<DirectoryReader, 'docs'>): boolean {
    return this.#key !== undefined && docs.get('receipt', this.#receiptId(this.#submits)) !== undefined;
  }

  /** A unique id: random, or derived from key and request (UUID version 8, RFC 9562 §5.8). Read the body first. */
  newId(): string {
    if (this.#key === undefined) return randomUUID();
    const bytes = createHash('sha256')
      .update(JSON.stringify([this.#key, this.#fingerprint, this.#ids++]))
      .digest()
      .subarray(0, 16);
    bytes[6] = 0x80 | (bytes.readUInt8(6) & 0x0f);
    bytes[8] = 0x80 | (bytes.readUInt8(8) & 0x3f);
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
}
