/**
 * The actions of HTTP requests on live connections, on whatever node these are: watch users, explain events, and remove durable consumers.
 *
 * It keeps ND12 (daemon/RULES.md).
 */
import { Compile } from 'typebox/compile';
import { fieldErrors, RosterError } from '../../../../protocol/base/errors.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import type { RehearseAnswer, RehearseBody } from '../../../../protocol/live/rehearsal.ts';
import { inTrustedSlices } from '../../../base/slices.ts';
import type { RequestWrites } from '../../http/backend.ts';
import type {
  BackupState,
  ConnectionsQuestion,
  ListedConnection,
  LiveControl,
  PageOfConnections,
  TracedConnection,
  UserConnection,
  Why,
} from '../../http/services.ts';
import { BackupsAnswer, Done, ListAnswer, type NodeQuestion } from '../../nodes/messages.ts';
import { askAll, type NodeAnswer, type NodeMail, NodeSilent } from '../../nodes/node-mail.ts';
import type { NodeState } from '../../nodes/node-state.ts';
import { joinedList, type PartOfList, partOfList } from '../connection-list.ts';
import { TracedAnswer, WhyAnswer } from '../why.ts';
import type { LiveContext } from './context.ts';
import { explainEvent, shownSession } from './inquiry/explain.ts';
import { type RetentionFacts, rehearse } from './inquiry/rehearse.ts';
import { tracedSession, tracedSessions } from './inquiry/traced-sessions.ts';
import { type LiveSession, noConnection } from './registry.ts';
import { sessionsOnAll } from './socket-limit.ts';

const whyAnswer = Compile(WhyAnswer);
const tracedAnswer = Compile(TracedAnswer);

export interface LiveConnectionsOptions extends Pick<LiveContext, 'roster' | 'sessions' | 'consumers'> {
  readonly backups: { state(): BackupState };
  /** Undefined where there are no other nodes. */
  readonly mail: NodeMail | undefined;
  readonly retention: RetentionFacts;
  /** The clock of the log, milliseconds. */
  readonly nowMs: () => number;
  /** How this node is doing, with its samples after a time in seconds. */
  readonly state: (after: number) => Promise<NodeState>;
  /** Bytes that may wait for one connection. */
  readonly outboxBytesMax: number;
}

export class LiveConnections implements LiveControl {
  readonly #options: LiveConnectionsOptions;

  constructor(options: LiveConnectionsOptions) {
    this.#options = options;
  }

  /** Answers the questions of other nodes. Resolves when they may ask. */
  async start(): Promise<void> {
    await this.#options.mail?.start((question) => this.#answer(question));
  }

  watch(connection: string, caller: Caller, ids: readonly string[]): Promise<void> | undefined {
    const { sessions, mail } = this.#options;
    const node = mail?.nodeOf(connection);
    if (mail !== undefined && node !== undefined && caller.kind !== 'anonymous') return this.#watchAt(mail, node, connection, caller, ids);
    sessions.watch(connection, caller, ids);
    return undefined;
  }

  async #watchAt(
    mail: NodeMail,
    node: string,
    connection: string,
    caller: Exclude<Caller, { kind: 'anonymous' }>,
    ids: readonly string[],
  ): Promise<void> {
    const { position } = this.#options.roster;
    const user = caller.kind === 'user' ? { user: caller.id } : undefined;
    const question: NodeQuestion = { kind: 'watch', connection, ids: [...ids], after: position, ...user };
    await askedNode(mail, node, noConnection, () => mail.ask(node, question, Done));
  }

  async why(connection: string, event: number): Promise<Why> {
    const { roster, mail } = this.#options;
    const node = mail?.nodeOf(connection);
    if (mail === undefined || node === undefined) return await this.#whyHere(connection, event);
    const question: NodeQuestion = { kind: 'why', connection, event, after: roster.position };
    return await askedNode(mail, node, unknownConnection, () => mail.ask(node, question, whyAnswer));
  }

  async #whyHere(connectionId: string, seq: number): Promise<Why> {
    const { sessions, roster, outboxBytesMax } = this.#options;
    const session = tracedSession(sessions, connectionId);
    if (session === undefined) throw unknownConnection();
    const event = await roster.past.eventAt(seq);
    if (event === undefined) {
      throw new RosterError(
        'not_found',
        `there is no event at position ${seq}: no event was sent for that change, or it is no longer kept`,
      );
    }
    return explainEvent(session, event, { directory: roster.directory, outboxBytesMax });
  }

  async traced(userId: string | undefined): Promise<readonly TracedConnection[]> {
    const user = userId === undefined ? undefined : { user: userId };
    const elsewhere = await this.#askOthers({ kind: 'traces', ...user }, tracedAnswer);
    const here = tracedSessions(this.#options.sessions, userId).map(shownSession);
    return [...here, ...elsewhere.flatMap(({ answer }) => answer?.connections ?? [])];
  }

  async #askOthers<T>(question: NodeQuestion, answer: { Check(body: unknown): body is T }): Promise<readonly NodeAnswer<T>[]> {
    const { mail, roster } = this.#options;
    return mail === undefined ? [] : await askAll(mail, roster.presence.otherNodes, question, answer);
  }

  async #answer(question: NodeQuestion): Promise<object> {
    const { roster, sessions, consumers } = this.#options;
    switch (question.kind) {
      case 'watch': {
        const { connection, user, ids, after } = question;
        await roster.arrivals.until(after);
        sessions.watch(connection, user === undefined ? { kind: 'server' } : { kind: 'user', id: user }, ids);
        return {};
      }
      case 'why':
        await roster.arrivals.until(question.after);
        return await this.#whyHere(question.connection, question.event);
      case 'traces':
        return { connections: tracedSessions(sessions, question.user).map(shownSession) };
      case 'sessions':
        return { sessions: sessions.of(question.user) };
      case 'close':
        for (const connection of question.connections) sessions.find(connection)?.close('replaced');
        return {};
      case 'list': {
        const { kind: _, ...asked } = question;
        return await this.#listHere(asked);
      }
      case 'end':
        this.#endHere(question.connection);
        return {};
      case 'state':
        return await this.#options.state(question.after);
      case 'release':
        await consumers.release(question.consumer, question.connection);
        return {};
      case 'backups':
        return this.#options.backups.state();
    }
  }

  rehearse(question: RehearseBody): Promise<RehearseAnswer> {
    return rehearse(this.#options, question);
  }

  async connectionsOf(userId: string): Promise<readonly UserConnection[]> {
    const { roster, sessions, mail } = this.#options;
    const found = await sessionsOnAll(userId, { sessions, presence: roster.presence, mail });
    return found.map(({ connection, sinceMs }) => ({ connection, sinceMs }));
  }

  async backupStates(): Promise<readonly BackupState[]> {
    const others = await this.#askOthers({ kind: 'backups' }, BackupsAnswer);
    return [this.#options.backups.state(), ...others.flatMap(({ answer }) => answer ?? [])];
  }

  async list(question: ConnectionsQuestion): Promise<PageOfConnections> {
    const { after, ...asked } = question;
    const elsewhere = this.#askOthers({ kind: 'list', ...asked, ...(after === undefined ? undefined : { after }) }, ListAnswer);
    const here = { node: this.#options.mail?.node, answer: await this.#listHere(question) };
    const parts: readonly { readonly node: string | undefined; readonly answer: PartOfList | undefined }[] = [here, ...(await elsewhere)];
    const nodes = new Map(parts.flatMap(({ node, answer }) => (answer?.rows ?? []).map(({ connection }) => [connection, node] as const)));
    const { rows, total, place } = joinedList(
      parts.flatMap(({ answer }) => answer ?? []),
      question,
    );
    return {
      rows: rows.map((row) => ({ ...row, node: nodes.get(row.connection) })),
      total,
      ...(place === undefined ? undefined : { place }),
      silent: parts.flatMap(({ node, answer }) => (answer === undefined && node !== undefined ? [node] : [])),
    };
  }

  #listHere(question: ConnectionsQuestion): Promise<PartOfList> {
    const { sessions } = this.#options;
    return inTrustedSlices(partOfList(sessions.withTimes(), question, (session, sinceMs) => this.#describe(session, sinceMs)));
  }

  #describe(session: LiveSession, sinceMs: number): ListedConnection {
    const view = session.view();
    const stored = view.consumer === null ? undefined : this.#options.roster.directory.docs.get('consumer', view.consumer);
    return {
      ...view,
      connection: session.connectionId,
      sinceMs,
      user: session.userId ?? null,
      queueBytes: session.queuedBytes,
      acknowledgedSeq: stored?.seq ?? null,
    };
  }

  async close(connection: string): Promise<void> {
    const { mail } = this.#options;
    const node = mail?.nodeOf(connection);
    if (mail === undefined || node === undefined) return this.#endHere(connection);
    await askedNode(mail, node, notOpen, () => mail.ask(node, { kind: 'end', connection }, Done));
  }

  #endHere(connection: string): void {
    const session = this.#options.sessions.find(connection);
    if (session === undefined) throw notOpen();
    session.close('restart');
  }

  removeConsumer(name: string, call: Pick<RequestWrites, 'submit'>): Promise<number> {
    return this.#options.consumers.remove(name, call);
  }
}

/** `gone`: the error of a connection whose node is no longer there. One that is there and silent may still have it. */
async function askedNode<T>(mail: NodeMail, node: string, gone: () => RosterError, ask: () => Promise<T>): Promise<T> {
  if (!mail.hasNode(node)) throw gone();
  try {
    return await ask();
  } catch (error) {
    throw error instanceof NodeSilent ? new RosterError('unavailable', `${error.message}: the connection may still be open`) : error;
  }
}

function notOpen(): RosterError {
  return new RosterError('not_found', 'there is no such live connection, or it has ended by itself');
}

function unknownConnection(): RosterError {
  return fieldErrors('input', [{ path: 'connection', message: 'there is no such live connection' }]);
}
