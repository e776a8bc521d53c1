/**
 * The faults that a test has asked for, each for a number of requests of one operation, or of any.
 *
 * It keeps EM20–EM24 (README.md).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { RosterError } from '../../protocol/base/errors.ts';
import { errorAnswer, refuseOnSocket } from '../edge/http/errors.ts';
import { rateHeaders } from '../edge/rate-headers.ts';
import { CONNECT, operationOf, type RequestedOperation, WEBHOOK } from './operations.ts';

/** What each kind does to a request. */
export const FAULT_KINDS = {
  rate_limit: 'is answered with 429',
  unavailable: 'is answered with 503, and nothing is stored',
  delay: 'is served after `ms`',
  cut_before: 'is cut before the daemon sees it: it has no effect',
  cut_after: 'is served, and cut in place of the answer: it has its effect',
  slow: 'has its answer trickle in over `ms`',
} as const;
export type FaultKind = keyof typeof FAULT_KINDS;

/** What a live connection can suffer before it is open. */
export const CONNECT_FAULTS: ReadonlySet<FaultKind> = new Set(['rate_limit', 'unavailable', 'delay', 'cut_before'] as const);
export const FAULTS_MAX = 100;

export interface Fault {
  readonly id: number;
  readonly fault: FaultKind;
  /** Null: any of the daemon. */
  readonly operation: string | null;
  /** The number of requests that it is still for. */
  left: number;
  /** Of `delay` and `slow`: real milliseconds, whatever the emulated clock says. */
  readonly ms: number;
  /** Of `rate_limit` and `unavailable`, in seconds. */
  readonly retry_after_s: number;
}

/** Pieces in which a slow answer arrives. */
const PIECES = 20;
const LIMIT = 1_000;

export class Faults {
  #faults: Fault[] = [];
  #nextId = 1;

  get all(): readonly Fault[] {
    return this.#faults;
  }

  /** Throws RosterError `conflict` when there are too many. */
  add(fault: Omit<Fault, 'id'>): Fault {
    if (this.#faults.length >= FAULTS_MAX)
      throw new RosterError(
        'conflict',
        `${FAULTS_MAX} faults are waiting, and there can be no more: DELETE /emulator/faults takes them all back`,
      );
    const added = { ...fault, id: this.#nextId++ };
    this.#faults.push(added);
    return added;
  }

  /** Returns their number. */
  clear(): number {
    const { length } = this.#faults;
    this.#faults = [];
    return length;
  }

  /** The first fault for the operation; it is used up by one. */
  take(operation: string): Fault | undefined {
    const found = this.#faults.find((fault) => isFor(fault, operation));
    if (found === undefined) return undefined;
    found.left--;
    if (found.left === 0) this.#faults = this.#faults.filter((fault) => fault !== found);
    return found;
  }

  /** Does to a request what was asked for. `serve` is called when the request comes through. */
  request(requested: RequestedOperation, request: IncomingMessage, response: ServerResponse, serve: () => void): void {
    carryOut(this.take(requested.operation), {
      serve,
      refuse: (fault) => refuse(fault, requested, response),
      cut: () => request.socket.destroy(),
      answer: response,
    });
  }

  upgrade(request: IncomingMessage, socket: Duplex, serve: () => void): void {
    carryOut(this.take(CONNECT), {
      serve,
      refuse: (fault) => refuseOnSocket(errorOf(fault), operationOf(request).dialect, socket),
      cut: () => socket.destroy(),
    });
  }
}

/** What can be done to one request. */
interface Suffering {
  serve(): void;
  refuse(fault: Fault): void;
  cut(): void;
  /** A live connection has none, and none of the faults of an answer (CONNECT_FAULTS). */
  readonly answer?: ServerResponse;
}

function carryOut(fault: Fault | undefined, { serve, refuse, cut, answer }: Suffering): void {
  switch (fault?.fault) {
    case undefined:
      serve();
      break;
    case 'rate_limit':
    case 'unavailable':
      refuse(fault);
      break;
    case 'delay':
      void delay(fault.ms).then(serve);
      break;
    case 'cut_before':
      cut();
      break;
    case 'cut_after':
    case 'slow':
      if (answer === undefined) cut();
      else {
        if (fault.fault === 'slow') trickle(answer, fault.ms);
        else cutAnswer(answer, cut);
        serve();
      }
      break;
  }
}

function isFor({ operation, fault }: Fault, asked: string): boolean {
  if (operation !== null) return operation === asked;
  return asked !== WEBHOOK && (asked !== CONNECT || CONNECT_FAULTS.has(fault));
}

function errorOf({ fault, retry_after_s }: Fault): RosterError {
  if (fault === 'rate_limit') return new RosterError('rate_limit', `too many requests, try again in ${retry_after_s} s`);
  return new RosterError('unavailable', 'the emulator was asked for this fault');
}

function refuse(fault: Fault, requested: RequestedOperation, response: ServerResponse): void {
  const { status, text } = errorAnswer(errorOf(fault), requested, '0.00ms');
  const reset = Math.ceil(Date.now() / 1_000) + fault.retry_after_s;
  const headers = rateHeaders({ limit: LIMIT, remaining: status === 429 ? 0 : LIMIT, reset, retryAfterS: fault.retry_after_s });
  response.writeHead(status, { ...headers, 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

/** Nothing of the answer leaves: the connection is gone when it begins. */
function cutAnswer(response: ServerResponse, cut: () => void): void {
  const { writeHead } = response;
  response.writeHead = function cutAtHead(this: ServerResponse, ...head: unknown[]): ServerResponse {
    cut();
    return Reflect.apply(writeHead, this, head);
  };
}

/** Gathers the answer, and sends it in pieces over `ms`. */
function trickle(response: ServerResponse, ms: number): void {
  const [write, end] = [response.write.bind(response), response.end.bind(response)];
  const parts: Buffer[] = [];
  const gather = (args: readonly unknown[]): void => {
    const [chunk, encoding] = args;
    if (typeof chunk === 'string')
      parts.push(Buffer.from(chunk, Buffer.isEncoding(String(encoding)) ? (String(encoding) as BufferEncoding) : 'utf8'));
    else if (chunk instanceof Uint8Array) parts.push(Buffer.from(chunk));
    const called = args.find((arg) => typeof arg === 'function');
    if (typeof called === 'function') called();
  };
  response.write = (...args: unknown[]): boolean => {
    gather(args);
    return true;
  };
  response.end = (...args: unknown[]): ServerResponse => {
    gather(args);
    void send();
    return response;
  };
  async function send(): Promise<void> {
    const whole = Buffer.concat(parts);
    const size = Math.max(1, Math.ceil(whole.length / PIECES));
    for (let at = 0; at < whole.length && !response.destroyed; at += size) {
      write(whole.subarray(at, at + size));
      await delay(ms / PIECES);
    }
    end();
  }
}
