/** The text of an answer to a request: one string, or pieces where it is long. It keeps BU13 and BU15 (daemon/RULES.md). */
import { pipeline, Transform } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import { type Budget, inSlices, inTrustedSlices, type Walk } from '../../base/slices.ts';
import type { EndpointAnswer } from '../http/endpoint.ts';
import { ANSWER_PIECE_BYTES, type AnswerText, cutUp, isLong, streamOf, writtenInPieces } from './pieces.ts';
import type { AnswerPlace } from './waiting.ts';

export interface AnswerFor {
  readonly caller: Caller;
  /** It only reads: without room for the answer, it can be refused. A write was carried out. */
  readonly isRead: boolean;
  readonly place: AnswerPlace | undefined;
}

const descriptions = new WeakMap<object, AnswerText>();

/** A description is one object, which is never changed. Its text is long, and anybody may ask for it as often as they like. */
export function textOfDescription(body: object): AnswerText {
  const text = descriptions.get(body) ?? inOnePieceOrMore(JSON.stringify(body));
  descriptions.set(body, text);
  return text;
}

/**
 * The text of `body`; a promise only where it is long. Rejects with RosterError where a client only reads: when its
 * other answers leave no room (see `AnswerPlace.check`), `too_big` when this one is longer than any may be.
 */
export function textOf({ body, isSmall }: Pick<EndpointAnswer, 'body' | 'isSmall'>, answer: AnswerFor): AnswerText | Promise<AnswerText> {
  const isAtOnce = (isSmall === true && answer.caller.kind === 'server') || !isLong(body);
  return isAtOnce ? inOnePieceOrMore(JSON.stringify(body)) : stepped(longText(body, answer), answer.caller, true);
}

function inOnePieceOrMore(text: string): AnswerText {
  return text.length < ANSWER_PIECE_BYTES ? text : cutUp(Buffer.from(text));
}

function* longText(body: object, { caller, isRead, place }: AnswerFor): Walk<AnswerText> {
  const isBounded = isRead && caller.kind !== 'server';
  if (isBounded) place?.check();
  return yield* writtenInPieces(body, (bytes) => {
    place?.holds(bytes);
    if (!isBounded || bytes <= LIMITS.answerBytes) return;
    throw new RosterError('too_big', `the answer is longer than ${LIMITS.answerBytes} bytes; ask for less at once`);
  });
}

/**
 * Takes the steps of work on a request or an answer, in slices. Those for one client are made one after the other. Their work is bounded by
 * the length of the body or the answer, and is not counted as that of a query. `isEnd`: the last part of an answer, which comes before
 * anything of the next one. Otherwise, all answers that a client asks for at once would be in memory before the first one is sent.
 */
export function stepped<T>(walk: Walk<T>, caller: Caller, isEnd = false): Promise<T> {
  return caller.kind === 'server' ? inTrustedSlices(walk) : inSlices(walk, lineOf(caller), isEnd);
}

function lineOf(caller: Exclude<Caller, { kind: 'server' }>): Budget {
  return { caller: caller.kind === 'user' ? caller.id : '', spend: () => {}, note: () => {}, isSlowed: () => false };
}

/** Sends the text; `place` learns when the peer takes it. */
export function sendText(reply: FastifyReply, text: AnswerText, place: AnswerPlace | undefined): FastifyReply {
  if (text === '') return reply.send();
  reply.header('Content-Type', 'application/json; charset=utf-8');
  if (typeof text === 'string') {
    place?.taken();
    return reply.send(text);
  }
  const bytes = text.reduce((sum, piece) => sum + piece.length, 0);
  place?.holds(bytes);
  return reply.header('Content-Length', String(bytes)).send(streamOf(text, () => place?.taken()));
}

/** `place`: of a client, which is cut when it takes nothing. That of a server, for backups, has a bound of its own. */
export function sendFile(
  reply: FastifyReply,
  { stream, bytes, type, name }: NonNullable<EndpointAnswer['file']>,
  place: AnswerPlace | undefined,
): FastifyReply {
  place?.taken();
  return reply
    .headers({
      'Content-Type': type,
      ...(bytes === undefined ? undefined : { 'Content-Length': String(bytes) }),
      'Content-Disposition': `attachment; filename="${name}"`,
    })
    .send(place === undefined ? stream : pipeline(stream, passing(place), () => {}));
}

/** Hands on what it gets, as the peer takes it. */
function passing(place: AnswerPlace): Transform {
  return new Transform({
    transform(chunk, _, done) {
      place.taken();
      done(null, chunk);
    },
  });
}
