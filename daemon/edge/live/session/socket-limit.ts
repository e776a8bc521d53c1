/**
 * The limit of live sockets of one user, on all nodes together: one more closes the oldest.
 *
 * It keeps SR4 and SR7 (daemon/RULES.md).
 */
import { LIMITS } from '../../../../protocol/base/limits.ts';
import type { Presence } from '../../../pipeline/tell/presence.ts';
import type { UserConnection } from '../../http/services.ts';
import { Done, SessionsAnswer } from '../../nodes/messages.ts';
import { askAll, type NodeMail } from '../../nodes/node-mail.ts';
import type { SessionRegistry } from './registry.ts';

export interface SocketLimitOptions {
  readonly sessions: Pick<SessionRegistry, 'of' | 'find' | 'closeOldest'>;
  readonly presence: Pick<Presence, 'nodesOf'>;
  /** Undefined where there are no other nodes. */
  readonly mail: Pick<NodeMail, 'ask'> | undefined;
}

/** Where the sessions of a user are looked for. */
export interface SessionsPlaces {
  readonly sessions: Pick<SessionRegistry, 'of'>;
  readonly presence: Pick<Presence, 'nodesOf'>;
  readonly mail: Pick<NodeMail, 'ask'> | undefined;
}

/** A session, and the other node that has it. */
export type FoundSession = UserConnection & { readonly node: string | undefined };

export class SocketLimit {
  readonly #options: SocketLimitOptions;
  /** Users whose sessions elsewhere are being counted; true: another one came meanwhile. */
  readonly #counting = new Map<string, boolean>();

  constructor(options: SocketLimitOptions) {
    this.#options = options;
  }

  /** Call this when a session of the user was added, and other nodes hear of it. Those here are closed at once. */
  keep(userId: string): void {
    const { sessions, presence, mail } = this.#options;
    sessions.closeOldest(userId, LIMITS.socketsPerUser);
    if (mail === undefined || presence.nodesOf(userId).length === 0) return;
    if (this.#counting.has(userId)) this.#counting.set(userId, true);
    else void this.#keepOnAll(userId, mail);
  }

  /** Never rejects. A node that does not answer counts for none. */
  async #keepOnAll(userId: string, mail: Pick<NodeMail, 'ask'>): Promise<void> {
    const { sessions, presence } = this.#options;
    do {
      this.#counting.set(userId, false);
      const all = await sessionsOnAll(userId, { sessions, presence, mail });
      const surplus = all.slice(0, Math.max(0, all.length - LIMITS.socketsPerUser));
      for (const { connection } of surplus.filter(({ node }) => node === undefined)) sessions.find(connection)?.close('replaced');
      const nodes = new Set(surplus.flatMap(({ node }) => node ?? []));
      await Promise.all([...nodes].map((node) => closeAt(mail, node, surplus)));
    } while (this.#counting.get(userId) === true);
    this.#counting.delete(userId);
  }
}

/**
 * The open sessions of a user on all nodes, oldest first; whichever node asks, it finds the same order. A node that does not answer counts for none.
 */
export async function sessionsOnAll(userId: string, { sessions, presence, mail }: SessionsPlaces): Promise<readonly FoundSession[]> {
  const nodes = mail === undefined ? [] : presence.nodesOf(userId);
  const elsewhere = await askAll(mail, nodes, { kind: 'sessions', user: userId }, SessionsAnswer);
  const here = sessions.of(userId).map((session) => ({ ...session, node: undefined }));
  const there = elsewhere.flatMap(({ node, answer }) => (answer?.sessions ?? []).map((session) => ({ ...session, node })));
  const all: FoundSession[] = [...here, ...there];
  return all.sort((a, b) => a.sinceMs - b.sinceMs || (a.connection < b.connection ? -1 : 1));
}

async function closeAt(mail: Pick<NodeMail, 'ask'>, node: string, surplus: readonly FoundSession[]): Promise<void> {
  const connections = surplus.filter((one) => one.node === node).map(({ connection }) => connection);
  await mail.ask(node, { kind: 'close', connections }, Done).catch(() => {});
}
