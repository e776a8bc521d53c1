/**
 * Answers that wait until their peers take them. Nothing obliges a peer to read, so what waits is counted: for each client, the strangers of
 * a network, all strangers and all clients. Beyond a bound, the next request is refused; a peer that takes nothing is cut.
 *
 * It keeps BU13 and BU14 (daemon/RULES.md).
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorKind, RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import type { Stranger } from '../strangers.ts';

/** Bytes. */
export interface AnswerBounds {
  readonly caller: number;
  readonly network: number;
  readonly strangers: number;
  readonly clients: number;
}

const BOUNDS: AnswerBounds = {
  caller: LIMITS.answersOfCallerBytes,
  network: LIMITS.answersOfNetworkBytes,
  strangers: LIMITS.answersOfStrangersBytes,
  clients: LIMITS.answersOfClientsBytes,
};

const SWEEP_MS = 1_000;

/** What the answers of some callers hold together. */
interface Sum {
  readonly key: string;
  /** Whose they are, in words. */
  readonly of: string;
  readonly most: number;
  readonly kind: ErrorKind;
  bytes: number;
}

/** The room of one answer, from the moment when its request is admitted. */
export class AnswerPlace {
  readonly #response: ServerResponse;
  /** None when the answer was taken, or nobody is there to take it. */
  #sums: readonly Sum[];
  #bytes: number = LIMITS.answerReserveBytes;
  /** When the peer last took a part of it; undefined while there is nothing to take. */
  #takenMs: number | undefined;
  /** Where it stands in the list of all. */
  at = 0;

  constructor(sums: readonly Sum[], response: ServerResponse) {
    this.#sums = sums;
    this.#response = response;
    for (const sum of sums) sum.bytes += this.#bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The answer has `bytes` so far. */
  holds(bytes: number): void {
    const now = Math.max(bytes, LIMITS.answerReserveBytes);
    for (const sum of this.#sums) sum.bytes += now - this.#bytes;
    this.#bytes = now;
  }

  /** Throws RosterError, which names the bound, when the others of these callers leave this answer no room. A short one always has it. */
  check(): void {
    const full = this.#sums.find(({ bytes, most }) => bytes - this.#bytes >= most);
    if (full !== undefined) throw refusal(full);
  }

  /** The peer has taken a part of the answer, or can begin. */
  taken(): void {
    this.#takenMs = performance.now();
  }

  isStalled(nowMs: number, stallMs: number): boolean {
    if (this.#takenMs === undefined) return false;
    // On one connection, an answer waits for those before it, which are looked at for themselves.
    if (this.#response.socket === null) this.#takenMs = nowMs;
    return nowMs - this.#takenMs >= stallMs;
  }

  cut(): void {
    this.#response.socket?.destroy();
  }

  /** Gives up the room, and returns where it was. */
  leave(): readonly Sum[] {
    const sums = this.#sums;
    this.#sums = [];
    for (const sum of sums) sum.bytes -= this.#bytes;
    return sums;
  }
}

function refusal({ of, most, kind }: Sum): RosterError {
  return new RosterError(kind, `the answers ${of} that were not taken yet have ${most} bytes; read them, then try again`);
}

export class WaitingAnswers {
  readonly #bounds: AnswerBounds;
  readonly #stallMs: number;
  readonly #onCut: (bytes: number) => void;
  readonly #sums = new Map<string, Sum>();
  /** In no order. A set would leave its old tables behind, and the collector would keep every request that stood in them. */
  readonly #places: AnswerPlace[] = [];
  readonly #bySocket = new WeakMap<Socket, AnswerPlace[]>();
  #sweep: NodeJS.Timeout | undefined;

  /** `onCut`: a peer was cut, to which an answer of so many bytes was due. */
  constructor(onCut: (bytes: number) => void, bounds: AnswerBounds = BOUNDS, stallMs: number = LIMITS.answerStallMs) {
    this.#onCut = onCut;
    this.#bounds = bounds;
    this.#stallMs = stallMs;
  }

  /**
   * Room for the answer to a request, until it is taken or its connection ends. A server is trusted: its answers are not counted. Throws
   * RosterError: `rate_limit` when those of the caller or its network are too many, `unavailable` when those of all are.
   */
  enter(caller: Caller, stranger: Stranger | undefined, response: ServerResponse, socket: Socket): AnswerPlace {
    if (socket.destroyed) return new AnswerPlace([], response);
    const sums = this.#sumsOf(caller, stranger);
    const full = sums.find((sum) => sum.bytes >= sum.most && (sum.key !== CLIENTS || this.#isLarge(sums)));
    if (full !== undefined) {
      this.#forget(sums);
      throw refusal(full);
    }
    const place = new AnswerPlace(sums, response);
    place.at = this.#places.push(place) - 1;
    this.#on(socket).push(place);
    response.once('finish', () => this.#leave(place, socket));
    this.#sweep ??= setInterval(() => this.#cutStalled(), Math.min(SWEEP_MS, this.#stallMs)).unref();
    return place;
  }

  /** All clients are too many: those with little of it go on. */
  #isLarge(sums: readonly Sum[]): boolean {
    return sums.some(({ key, bytes }) => key !== CLIENTS && key !== STRANGERS && key !== LINKS && bytes > LIMITS.answerReserveBytes);
  }

  #on(socket: Socket): AnswerPlace[] {
    const known = this.#bySocket.get(socket);
    if (known !== undefined) return known;
    const places: AnswerPlace[] = [];
    this.#bySocket.set(socket, places);
    // Not the end of each response: one that waits for another on its connection may have none.
    socket.once('close', () => {
      for (const place of [...places]) this.#leave(place, socket);
    });
    return places;
  }

  #leave(place: AnswerPlace, socket: Socket): void {
    if (this.#places[place.at] !== place) return;
    const last = this.#places.pop();
    if (last !== undefined && last !== place) {
      this.#places[place.at] = last;
      last.at = place.at;
    }
    const ofSocket = this.#on(socket);
    ofSocket.splice(ofSocket.indexOf(place), 1);
    this.#forget(place.leave());
  }

  #forget(sums: readonly Sum[]): void {
    for (const { key, bytes } of sums) if (bytes === 0) this.#sums.delete(key);
  }

  #sumsOf(caller: Caller, stranger: Stranger | undefined): readonly Sum[] {
    if (caller.kind === 'server') return [];
    const { caller: ofOne, network, strangers, clients } = this.#bounds;
    const sums = [this.#sum(CLIENTS, 'of all clients', clients, 'unavailable')];
    if (caller.kind === 'anonymous' && stranger === undefined)
      sums.unshift(this.#sum(LINKS, 'to all signed links', strangers, 'unavailable'));
    if (stranger !== undefined) sums.unshift(this.#sum(STRANGERS, 'of all guests and anonymous callers', strangers, 'unavailable'));
    if (stranger?.network !== undefined) {
      sums.unshift(this.#sum(`network ${stranger.network}`, `of the network ${stranger.network}`, network, 'rate_limit'));
    }
    if (caller.kind === 'user') sums.unshift(this.#sum(`user ${caller.id}`, `of the user ${caller.id}`, ofOne, 'rate_limit'));
    return sums;
  }

  #sum(key: string, of: string, most: number, kind: ErrorKind): Sum {
    const known = this.#sums.get(key);
    if (known !== undefined) return known;
    const sum = { key, of, most, kind, bytes: 0 };
    this.#sums.set(key, sum);
    return sum;
  }

  #cutStalled(): void {
    const nowMs = performance.now();
    for (const place of this.#places) {
      if (!place.isStalled(nowMs, this.#stallMs)) continue;
      this.#onCut(place.bytes);
      place.cut();
    }
    if (this.#places.length > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}

const CLIENTS = 'clients';
const STRANGERS = 'strangers';
/** Holders of signed links, whoever they are: a download counts as the reserve, which is what is read ahead of it. */
const LINKS = 'links';
