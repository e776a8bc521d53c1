/**
 * The history of users in rows that several nodes share, as the node that writes them has it. It gathers changes, and `flush` stores them
 * with their position. After a failure it takes nothing more: what is stored is then read anew, by whichever node goes on.
 */
import type { Position } from '../../../protocol/base/position.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Beginning, HistoryWriter } from '../../../store/history.ts';
import { encodeDetails, type HistoryChange, RECORD_BYTES_MAX } from './record.ts';
import type { HistoryStorage } from './storage.ts';

/** What is stored at once: more would keep the lease from being taken over for too long. */
const GATHERED_BYTES = 512 * 1024;
const GATHERED_CHANGES = 5_000;
/** Beyond the limit of bytes, this part of it is removed at a time. */
const SURPLUS_PART = 1 / 32;

export class HistoryRows implements HistoryStorage {
  readonly mayBeAhead = false;
  readonly #writer: HistoryWriter;
  readonly #bytesMax: number;
  readonly #records = Buffer.allocUnsafe(GATHERED_BYTES + RECORD_BYTES_MAX);
  #lengths: number[] = [];
  #users: string[] = [];
  #seqs: number[] = [];
  #times: Micros[] = [];
  #bytes = 0;
  #stored: Position | undefined;
  #seq: number;
  #time: Micros = 0;
  #isBroken = false;

  /** Continues what is stored. `bytesMax`: limit for all rows, with their indexes. Rejects as the writer does. */
  static async open(writer: HistoryWriter, bytesMax: number): Promise<HistoryRows> {
    return new HistoryRows(writer, bytesMax, await writer.position());
  }

  private constructor(writer: HistoryWriter, bytesMax: number, stored: Position | undefined) {
    this.#writer = writer;
    this.#bytesMax = bytesMax;
    this.#stored = stored;
    this.#seq = stored?.seq ?? 0;
  }

  get position(): Position | undefined {
    return this.#stored === undefined ? undefined : { epoch: this.#stored.epoch, seq: this.#seq };
  }

  get hasRecords(): boolean {
    return this.#seqs.length > 0;
  }

  get isFull(): boolean {
    return this.#bytes >= GATHERED_BYTES || this.#seqs.length >= GATHERED_CHANGES;
  }

  async begin(beginning: Beginning): Promise<void> {
    await this.flush();
    await this.#write(() => this.#writer.begin(beginning));
    this.#stored = { epoch: beginning.epoch, seq: beginning.after };
    this.#seq = beginning.after;
  }

  append(change: HistoryChange): void {
    // What was given up may still be on its way, and stays as it is.
    if (this.#isBroken || change.seq <= this.#seq) return;
    const length = this.#records.write(encodeDetails(change), this.#bytes);
    this.#bytes += length;
    this.#lengths.push(length);
    this.#users.push(change.id);
    this.#seqs.push(change.seq);
    this.#times.push(change.at);
    this.advance(change.seq, change.at);
  }

  advance(seq: number, time: Micros): void {
    if (seq <= this.#seq) return;
    this.#seq = seq;
    this.#time = time;
  }

  async flush(): Promise<void> {
    const from = this.#stored;
    if (from === undefined || from.seq === this.#seq) return;
    const seq = this.#seq;
    const bytes = await this.#write(() =>
      this.#writer.record({
        ...{ from, seq, users: this.#users, seqs: this.#seqs, times: this.#times },
        ...{ records: this.#records.subarray(0, this.#bytes), lengths: this.#lengths },
      }),
    );
    this.#stored = { epoch: from.epoch, seq };
    this.#bytes = 0;
    for (const list of [this.#lengths, this.#users, this.#seqs, this.#times]) list.length = 0;
    const bytesMax = Math.floor(this.#bytesMax * (1 - SURPLUS_PART));
    if (bytes > this.#bytesMax) await this.#write(() => this.#writer.tidy({ now: this.#time, notBefore: 0, bytesMax }));
  }

  async tidy(now: Micros, keepMicros: number): Promise<void> {
    await this.#write(() => this.#writer.tidy({ now, notBefore: now - keepMicros, bytesMax: this.#bytesMax }));
  }

  /** What a failed write has done is not known: no other one may follow it. */
  async #write<T>(write: () => Promise<T>): Promise<T> {
    if (this.#isBroken) throw new Error('an earlier write of the history of users failed');
    try {
      return await write();
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
  }
}
