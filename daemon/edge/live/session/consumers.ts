/**
 * Durable consumers. The daemon keeps the last acknowledged position of each, in the log like everything else, so that a consumer needs no
 * storage of its own to miss nothing. Acknowledgements are written at a bounded rate; after a crash a consumer receives again what it
 * acknowledged in the last moment.
 *
 * Where several nodes share the log, it also says which session speaks for a consumer. A session that takes one over from another node first asks
 * that node to close the other session and to write what was acknowledged; when it does not answer, it closes that session when it reads of this.
 *
 * It keeps DC1–DC8 (daemon/RULES.md).
 */

import type { Position } from '../../../../protocol/base/position.ts';
import type { Entry } from '../../../../protocol/log/entry.ts';
import type { Roster } from '../../../pipeline/roster.ts';
import type { RequestWrites } from '../../http/backend.ts';
import { Done } from '../../nodes/messages.ts';
import type { NodeMail } from '../../nodes/node-mail.ts';

const WRITE_EVERY_MS = 1_000;

/** The session that currently speaks for a consumer. */
interface Holder {
  readonly connectionId: string;
  close(reason: 'replaced'): void;
}

interface Held {
  readonly holder: Holder;
  /** Whether the log says so by now. Before that, another session in the log was there earlier. */
  isLogged: boolean;
}

export interface ConsumersOptions {
  readonly roster: Pick<Roster, 'directory' | 'submit' | 'onApplied'>;
  /** Undefined where there are no other nodes: then nothing about holders is written. */
  readonly mail: Pick<NodeMail, 'nodeOf' | 'ask'> | undefined;
  readonly onError: (error: unknown) => void;
}

export class Consumers {
  readonly #options: ConsumersOptions;
  readonly #holders = new Map<string, Held>();
  readonly #acknowledged = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: ConsumersOptions) {
    this.#options = options;
    if (options.mail !== undefined) options.roster.onApplied((entry) => this.#follow(entry));
  }

  /**
   * The position at which a consumer continues; a new one starts at the current position and is stored. The session that held the name
   * before, on whatever node, is closed as replaced. Rejects with RosterError: `input` above the limit, `unavailable`.
   */
  async open(name: string, holder: Holder): Promise<{ readonly position: Position; readonly isNew: boolean }> {
    const { roster, mail } = this.#options;
    const before = this.#holders.get(name)?.holder;
    this.#holders.set(name, { holder, isLogged: false });
    before?.close('replaced');
    await this.#write();
    const known = roster.directory.docs.get('consumer', name);
    if (mail === undefined && known !== undefined) return { position: { epoch: known.epoch, seq: known.seq }, isNew: false };
    if (mail !== undefined && known?.holder !== undefined) await askToRelease(mail, name, known.holder);
    const command = { kind: 'consumer-open', name, ...(mail === undefined ? undefined : { holder: holder.connectionId }) } as const;
    const { docs = [], missing = [] } = await roster.submit(command, 'live');
    const [change] = docs;
    if (change?.kind !== 'consumer' || change.doc === null) throw new Error('a consumer was not opened');
    return { position: { epoch: change.doc.epoch, seq: change.doc.seq }, isNew: missing.length > 0 };
  }

  leave(name: string, holder: Holder): void {
    if (this.#holders.get(name)?.holder === holder) this.#holders.delete(name);
  }

  /** Another node takes the consumer over from this connection. Resolves when everything that it acknowledged is written. */
  async release(name: string, connection: string): Promise<void> {
    const holder = this.#holders.get(name)?.holder;
    if (holder?.connectionId === connection) holder.close('replaced');
    await this.#write();
  }

  /** A position never decreases (daemon/core/consumers.ts). */
  acknowledge(name: string, seq: number): void {
    this.#acknowledged.set(name, Math.max(seq, this.#acknowledged.get(name) ?? 0));
    this.#timer ??= setTimeout(() => void this.#write(), WRITE_EVERY_MS);
  }

  /** Removes a consumer; a connected one is closed. Rejects with RosterError `not_found`. `submit`: of the request that asks for it. */
  async remove(name: string, { submit }: Pick<RequestWrites, 'submit'>): Promise<number> {
    const { seq, isReplay } = await submit({ kind: 'consumer-remove', name }, 'live');
    if (isReplay !== true) this.#holders.get(name)?.holder.close('replaced');
    return seq;
  }

  /** Writes the acknowledgements that are not written yet. */
  async stop(): Promise<void> {
    await this.#write();
  }

  /** Another session speaks for a consumer now, or it was removed: the log decides, in whatever order nodes opened it. */
  #follow({ facts }: Entry): void {
    for (const fact of facts) {
      if (fact.t !== 'doc' || fact.kind !== 'consumer') continue;
      const held = this.#holders.get(fact.id);
      if (held === undefined) continue;
      if (fact.doc?.holder === held.holder.connectionId) held.isLogged = true;
      else if (held.isLogged) held.holder.close('replaced');
    }
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = (this.#writing ?? Promise.resolve()).then(() => this.#writeNow());
    return this.#writing;
  }

  async #writeNow(): Promise<void> {
    const { roster, onError } = this.#options;
    if (this.#acknowledged.size === 0) return;
    const positions = [...this.#acknowledged].map(([name, seq]) => ({ name, seq }));
    this.#acknowledged.clear();
    await roster.submit({ kind: 'consumer-ack', positions }, 'live').catch(onError);
  }
}

/** Never rejects: a node that does not answer reads of it in the log. */
async function askToRelease(mail: Pick<NodeMail, 'nodeOf' | 'ask'>, consumer: string, connection: string): Promise<void> {
  const node = mail.nodeOf(connection);
  if (node !== undefined) await mail.ask(node, { kind: 'release', consumer, connection }, Done).catch(() => {});
}
