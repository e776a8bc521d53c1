/** What nodes say to one another through the mailbox: questions, and their answers. A node of another version may not know a question; it then does not answer. */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { parseObject } from '../../../protocol/base/json.ts';

/** Everything up to there is applied at the node that asks. */
const After = Type.Object({ epoch: Type.String(), seq: Type.Integer({ minimum: 0 }) });

export const NodeQuestion = Type.Union([
  /** Let a connection watch these users. `user`: whose it must be; absent when a server asks. */
  Type.Object({
    kind: Type.Literal('watch'),
    connection: Type.String(),
    user: Type.Optional(Type.String()),
    ids: Type.Array(Type.String()),
    after: After,
  }),
  /** Why a connection was sent the event at a position, or was not. */
  Type.Object({ kind: Type.Literal('why'), connection: Type.String(), event: Type.Integer(), after: After }),
  /** What is known of the sessions of a user, or of servers: open ones, and those that ended. */
  Type.Object({ kind: Type.Literal('traces'), user: Type.Optional(Type.String()) }),
  /** The open sessions of a user. */
  Type.Object({ kind: Type.Literal('sessions'), user: Type.String() }),
  /** Close these connections, as their user has too many. */
  Type.Object({ kind: Type.Literal('close'), connections: Type.Array(Type.String()) }),
  /** A part of the list of all connections. */
  Type.Object({
    kind: Type.Literal('list'),
    search: Type.String(),
    sort: Type.Union([Type.Literal('queue'), Type.Literal('oldest'), Type.Literal('newest')]),
    after: Type.Optional(Type.Object({ value: Type.Number(), id: Type.String() })),
    limit: Type.Integer({ minimum: 1 }),
  }),
  /** Say goodbye to this connection, whose client may come back. */
  Type.Object({ kind: Type.Literal('end'), connection: Type.String() }),
  /** How the node is doing, with its samples after a time in seconds. */
  Type.Object({ kind: Type.Literal('state'), after: Type.Number() }),
  /** Close this connection, as another one speaks for its durable consumer now, and write what it acknowledged. */
  Type.Object({ kind: Type.Literal('release'), consumer: Type.String(), connection: Type.String() }),
  /** How its backups are. */
  Type.Object({ kind: Type.Literal('backups') }),
]);
export type NodeQuestion = Static<typeof NodeQuestion>;

const FieldProblem = Type.Object({ path: Type.String(), message: Type.String(), code: Type.Optional(Type.Integer()) });

const NodeMessage = Type.Union([
  Type.Object({ t: Type.Literal('ask'), id: Type.String(), question: NodeQuestion }),
  Type.Object({ t: Type.Literal('answer'), id: Type.String(), body: Type.Unknown() }),
  Type.Object({
    t: Type.Literal('refusal'),
    id: Type.String(),
    error: Type.Object({ kind: Type.String(), reason: Type.String(), fields: Type.Array(FieldProblem) }),
  }),
]);
export type NodeMessage = Static<typeof NodeMessage>;

const checker = Compile(NodeMessage);

/** Undefined for a message of a kind that this version does not know. */
export function readNodeMessage(text: string): NodeMessage | undefined {
  const message = parseObject(text);
  return checker.Check(message) ? message : undefined;
}

export const BackupsAnswer = Compile(
  Type.Object({
    running: Type.Integer(),
    last: Type.Optional(Type.Object({ endedMs: Type.Number(), bytes: Type.Integer() })),
  }),
);

/** The answer to a question that asks to do something. */
export const Done = Compile(Type.Object({}));

export const SessionsAnswer = Compile(
  Type.Object({ sessions: Type.Array(Type.Object({ connection: Type.String(), sinceMs: Type.Number() })) }),
);

const TextOrNull = Type.Union([Type.String(), Type.Null()]);
const NumberOrNull = Type.Union([Type.Number(), Type.Null()]);

export const ListAnswer = Compile(
  Type.Object({
    rows: Type.Array(
      Type.Object({
        connection: Type.String(),
        sinceMs: Type.Number(),
        user: TextOrNull,
        transport: Type.Union([Type.Literal('live'), Type.Literal('connect'), Type.Literal('socket.io')]),
        address: TextOrNull,
        queueBytes: Type.Number(),
        subscriptions: Type.Number(),
        sentSeq: NumberOrNull,
        consumer: TextOrNull,
        acknowledgedSeq: NumberOrNull,
      }),
    ),
    total: Type.Integer(),
  }),
);
