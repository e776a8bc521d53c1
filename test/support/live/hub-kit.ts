/** A directory in memory with a hub, and sockets that the test controls. */
import assert from 'node:assert/strict';
import type { Roster } from '../../../daemon/pipeline/roster.ts';
import { Interest, type Want } from '../../../daemon/pipeline/tell/interest.ts';
import { type Outlet, Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';
import type { CloseReason } from '../../../protocol/live/close-codes.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { rosterWith } from '../open-roster.ts';

export const OUTBOX_BYTES_MAX = 64 * 1024;

/** A socket whose peer reads only when the test lets it. */
export class FakeOutlet implements Outlet {
  readonly writes: Buffer[] = [];
  queuedBytes = 0;
  peakBytes = 0;
  isReading = true;
  closedAs: CloseReason | undefined;
  #waiting: (() => void)[] = [];

  write(frames: Buffer): void {
    this.writes.push(frames);
    if (!this.isReading) this.queuedBytes += frames.length;
    this.peakBytes = Math.max(this.peakBytes, this.queuedBytes);
  }

  async drained(): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.queuedBytes > 0 && this.closedAs === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.closedAs === undefined;
  }

  read(): void {
    this.isReading = true;
    this.queuedBytes = 0;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  close(reason: CloseReason): void {
    this.closedAs = reason;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Every event written so far. */
  get events(): { seq: number; user: { id: string }; sub?: string[] }[] {
    return this.writes.flatMap((bytes) => textFrames(bytes)).map((text) => JSON.parse(text));
  }
}

/** Takes unmasked text frames apart; fails on anything else. */
function textFrames(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    assert.equal(bytes[at], 0x81);
    const short = bytes[at + 1] ?? 0;
    const [header, length] = short < 126 ? [2, short] : short === 126 ? [4, bytes.readUInt16BE(at + 2)] : [10, bytes.readUInt32BE(at + 6)];
    texts.push(bytes.toString('utf8', at + header, at + header + length));
    at += header + length;
  }
  return texts;
}

export async function openRoster(historyBytes = 1 << 20, log = new MemoryLog({ retentionFacts: 1_000_000 })) {
  const error = (details: object): void => {
    throw Object.assign(new Error('the pipeline logged an error'), details);
  };
  return await rosterWith({ log, historyBytes, outboxBytesMax: OUTBOX_BYTES_MAX, logger: { info: () => {}, error } });
}

export function upsert(roster: Roster, ids: readonly string[], note = '') {
  const users = ids.map((id) => ({ id, ...(note === '' ? undefined : { name: note }), custom: { note } }));
  return roster.submit({ kind: 'upsert', actor: { kind: 'server' }, users, problems: [] }, 'bulk');
}

export function subscribe(roster: Roster, name: string, want: Want): { outlet: FakeOutlet; subscriber: Subscriber } {
  const outlet = new FakeOutlet();
  const subscriber = new Subscriber(outlet, 'live');
  subscriber.interests.set(name, new Interest({ name, want, since: roster.directory.seq, reach: 'server' }));
  roster.hub.join(subscriber);
  return { outlet, subscriber };
}
