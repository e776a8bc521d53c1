/**
 * Questions to other nodes, about what only they have. A question has an answer or an error within 2 s, whatever happens to the other node.
 *
 * It keeps ND12 (daemon/RULES.md).
 */
import { randomUUID } from 'node:crypto';
import { ERRORS, type ErrorKind, RosterError } from '../../../protocol/base/errors.ts';
import type { Mailbox } from '../../../store/mailbox.ts';
import { type NodeMessage, type NodeQuestion, readNodeMessage } from './messages.ts';

/** How long an answer may take. */
const ANSWER_MS = 2_000;

/** The other node is not there, or did not answer in time. */
export class NodeSilent extends Error {}

/** Answers the questions of other nodes. Rejects with RosterError for what it refuses. */
export type AnswerNode = (question: NodeQuestion) => Promise<object>;

export interface NodeMailOptions {
  readonly mailbox: Mailbox;
  /** Whether there is another node of this name. */
  readonly hasNode: (node: string) => boolean;
  readonly onError: (error: unknown) => void;
}

export interface NodeAnswer<T> {
  readonly node: string;
  readonly answer: T | undefined;
}

interface Waiter {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class NodeMail {
  readonly #options: NodeMailOptions;
  readonly #waiting = new Map<string, Waiter>();
  #answer: AnswerNode | undefined;

  constructor(options: NodeMailOptions) {
    this.#options = options;
  }

  /** Begins to ask and to answer. */
  async start(answer: AnswerNode): Promise<void> {
    this.#answer = answer;
    await this.#options.mailbox.start((body, from) => void this.#heard(body, from));
  }

  /** The name of this node. */
  get node(): string {
    return this.#options.mailbox.node;
  }

  hasNode(node: string): boolean {
    return this.#options.hasNode(node);
  }

  /** The node that has the connection with this id; undefined: this one, if any. */
  nodeOf(connectionId: string): string | undefined {
    const at = connectionId.indexOf('.');
    const node = at === -1 ? undefined : connectionId.slice(at + 1);
    return node === this.#options.mailbox.node ? undefined : node;
  }

  /** Rejects with NodeSilent, or with the RosterError with which the other node refuses. */
  async ask<T>(node: string, question: NodeQuestion, answer: { Check(body: unknown): body is T }): Promise<T> {
    if (!this.#options.hasNode(node)) throw new NodeSilent(`there is no node "${node}"`);
    const id = randomUUID();
    let timer: NodeJS.Timeout | undefined;
    const answered = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      timer = setTimeout(() => reject(new NodeSilent(`the node "${node}" did not answer within ${ANSWER_MS} ms`)), ANSWER_MS);
      this.#send(node, { t: 'ask', id, question }).catch((error: unknown) =>
        reject(new NodeSilent('the question was not sent', { cause: error })),
      );
    });
    try {
      const body = await answered;
      if (answer.Check(body)) return body;
      throw new NodeSilent(`the node "${node}" gave an answer that this version does not know`);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** Never rejects. */
  async #heard(text: string, from: string): Promise<void> {
    const message = readNodeMessage(text);
    switch (message?.t) {
      case undefined:
        return;
      case 'answer':
        return this.#waiting.get(message.id)?.resolve(message.body);
      case 'refusal': {
        const { kind, reason, fields } = message.error;
        return this.#waiting.get(message.id)?.reject(new RosterError(isErrorKind(kind) ? kind : 'internal', reason, fields));
      }
      case 'ask':
        // An answer that cannot be sent is none: whoever asked does not wait for long.
        return await this.#send(from, await this.#answerTo(message.id, message.question)).catch(() => {});
    }
  }

  async #answerTo(id: string, question: NodeQuestion): Promise<NodeMessage> {
    try {
      return { t: 'answer', id, body: (await this.#answer?.(question)) ?? {} };
    } catch (error) {
      if (!(error instanceof RosterError)) this.#options.onError(error);
      const { kind, message, fields } = error instanceof RosterError ? error : new RosterError('internal');
      return { t: 'refusal', id, error: { kind, reason: message, fields: [...fields] } };
    }
  }

  async #send(node: string, message: NodeMessage): Promise<void> {
    await this.#options.mailbox.send(node, JSON.stringify(message));
  }
}

function isErrorKind(kind: string): kind is ErrorKind {
  return Object.hasOwn(ERRORS, kind);
}

/**
 * Asks several nodes at once. Never rejects: one that does not answer, or refuses, has no answer. `mail`: undefined where there are no other
 * nodes.
 */
export async function askAll<T>(
  mail: Pick<NodeMail, 'ask'> | undefined,
  nodes: readonly string[],
  question: NodeQuestion,
  answer: { Check(body: unknown): body is T },
): Promise<readonly NodeAnswer<T>[]> {
  if (mail === undefined) return [];
  return await Promise.all(nodes.map(async (node) => ({ node, answer: await mail.ask(node, question, answer).catch(() => undefined) })));
}
