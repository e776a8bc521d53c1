/**
 * Durable consumers. The daemon keeps the last acknowledged position of each, in the log like everything else, so that a consumer needs no
 * storage of its own to miss nothing. Acknowledgements are written at a bounded rate; after a crash a consumer receives again what it
 * acknowledged in the last moment.
 */

import { fieldErrors, RosterError } from '../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import type { Position } from '../../../../protocol/base/position.ts';
import type { Consumer, DocChange } from '../../../../protocol/log/documents.ts';
import type { Roster } from '../../../pipeline/roster.ts';
import type { RequestWrites } from '../../http/backend.ts';

const WRITE_EVERY_MS = 1_000;

/** The session that currently speaks for a consumer. */
interface Holder {
  close(reason: 'replaced'): void;
}

export interface ConsumersOptions {
  readonly roster: Pick<Roster, 'directory' | 'position' | 'submit'>;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
  readonly onError: (error: unknown) => void;
}

export class Consumers {
  readonly #options: ConsumersOptions;
  readonly #holders = new Map<string, Holder>();
  readonly #acknowledged = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: ConsumersOptions) {
    this.#options = options;
  }

  /**
   * The position at which a consumer continues; a new one starts at the current position and is stored. The session that held the name
   * before is closed as replaced. Rejects with RosterError `input` above the limit.
   */
  async open(name: string, holder: Holder): Promise<Position> {
    const { roster } = this.#options;
    const before = this.#holders.get(name);
    this.#holders.set(name, holder);
    before?.close('replaced');
    await this.#write();
    const known = roster.directory.docs.get('consumer', name);
    if (known !== undefined) return { epoch: known.epoch, seq: known.seq };
    if (roster.directory.docs.count('consumer') >= LIMITS.consumers) {
      this.leave(name, holder);
      throw fieldErrors('input', [{ path: 'durable', message: `there are ${LIMITS.consumers} consumers already; remove one` }]);
    }
    const { epoch, seq } = roster.position;
    const now = this.#now();
    await this.#submit([{ kind: 'consumer', id: name, doc: { name, epoch, seq, created_at: now, updated_at: now } }]);
    return { epoch, seq };
  }

  leave(name: string, holder: Holder): void {
    if (this.#holders.get(name) === holder) this.#holders.delete(name);
  }

  /** A position never decreases. */
  acknowledge(name: string, seq: number): void {
    this.#acknowledged.set(name, Math.max(seq, this.#acknowledged.get(name) ?? 0));
    this.#timer ??= setTimeout(() => void this.#write(), WRITE_EVERY_MS);
  }

  /** Removes a consumer; a connected one is closed. Rejects with RosterError `not_found`. `call`: the request that asks for it. */
  async remove(name: string, { submit, isRepeat }: Pick<RequestWrites, 'submit' | 'isRepeat'>): Promise<number> {
    if (!isRepeat()) {
      if (this.#options.roster.directory.docs.get('consumer', name) === undefined) {
        throw new RosterError('not_found', `the consumer ${name} does not exist`);
      }
      this.#holders.get(name)?.close('replaced');
      this.#acknowledged.delete(name);
    }
    return (await submit({ kind: 'docs', changes: [{ kind: 'consumer', id: name, doc: null }] }, 'live')).seq;
  }

  /** Writes the acknowledgements that are not written yet. */
  async stop(): Promise<void> {
    await this.#write();
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = (this.#writing ?? Promise.resolve()).then(() => this.#writeNow());
    return this.#writing;
  }

  async #writeNow(): Promise<void> {
    const changes: DocChange[] = [];
    for (const [name, seq] of this.#acknowledged) {
      const doc = this.#moved(name, seq);
      if (doc !== undefined) changes.push({ kind: 'consumer', id: name, doc });
    }
    this.#acknowledged.clear();
    if (changes.length > 0) await this.#submit(changes).catch(this.#options.onError);
  }

  #moved(name: string, seq: number): Consumer | undefined {
    const { directory, position } = this.#options.roster;
    const known = directory.docs.get('consumer', name);
    if (known === undefined || (known.epoch === position.epoch && known.seq >= seq)) return undefined;
    return { ...known, epoch: position.epoch, seq, updated_at: this.#now() };
  }

  async #submit(changes: readonly DocChange[]): Promise<number> {
    return (await this.#options.roster.submit({ kind: 'docs', changes }, 'live')).seq;
  }

  #now(): number {
    return Math.round(this.#options.nowMs() * 1000);
  }
}
