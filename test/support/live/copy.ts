/** A subscriber that keeps a copy of the whole directory over cuts and restarts, and checks the order of what it gets. */
import assert from 'node:assert/strict';
import { LiveClient } from './live-client.ts';
import type { Frame } from './received.ts';

export class DirectoryCopy {
  readonly users = new Map<string, Frame>();
  /** Seq of every event, in the order it came. */
  readonly seqs: number[] = [];
  resumes = 0;
  resyncs = 0;
  #client: LiveClient | undefined;
  #position: { epoch: string; seq: number } | undefined;
  readonly #url: () => string;
  readonly #connect: Record<string, unknown>;
  #onEvent: () => void = () => {};

  constructor(url: () => string, connect: Record<string, unknown>) {
    this.#url = url;
    this.#connect = connect;
  }

  get seq(): number {
    return this.#position?.seq ?? 0;
  }

  /** Connects, or connects again after the last event seen. Resolves when the connection is open and resumed. */
  async connect(): Promise<void> {
    const client = await LiveClient.open(`${this.#url()}/live`);
    this.#client = client;
    const resume = this.#position === undefined ? {} : { resume: this.#position };
    client.ws.on('message', (data) => {
      if (this.#client === client) this.#take(JSON.parse(data.toString()));
    });
    const ok = await client.request({ op: 'connect', ...this.#connect, ...resume, subs: [{ sub: 'copy', all: true }] });
    if (ok.resumed) this.resumes++;
    else if (this.#position !== undefined) this.resyncs++;
    if (ok.resumed) return;
    this.#position = { epoch: ok.epoch, seq: ok.seq };
    let page = await client.until(({ sub, users }) => sub === 'copy' && users !== undefined);
    this.users.clear();
    for (;;) {
      for (const user of page.users) this.users.set(user.id, user);
      if (page.more === undefined) return;
      page = await client.request({ op: 'page', sub: 'copy', more: page.more });
    }
  }

  #take(frame: Frame): void {
    if (typeof frame.type !== 'string' || !frame.type.startsWith('user.') || this.#position === undefined) return;
    const last = this.seqs.at(-1) ?? 0;
    assert.ok(frame.seq > last, `event ${frame.seq} came after event ${last}`);
    this.seqs.push(frame.seq);
    this.#position = { epoch: this.#position.epoch, seq: frame.seq };
    if (frame.type === 'user.deleted') this.users.delete(frame.user.id);
    else this.users.set(frame.user.id, frame.user);
    this.#onEvent();
  }

  /** Resolves once `reached` is true; looked at after each event. */
  until(reached: () => boolean): Promise<void> {
    if (reached()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEvent = () => {
        if (!reached()) return;
        this.#onEvent = () => {};
        resolve();
      };
    });
  }

  /** Cuts the connection as a network failure would; what is still on its way is lost. */
  cut(): void {
    this.#client?.terminate();
    this.#client = undefined;
  }

  get closed(): Promise<unknown> {
    return this.#client?.closed ?? Promise.resolve();
  }
}

/** A user as everyone who has a true copy has it; presence is not part of the record. */
export function comparable(users: Iterable<Frame>): Map<string, Frame> {
  return new Map([...users].sort((a, b) => (a.id < b.id ? -1 : 1)).map(({ online: _, ...user }) => [user.id, user]));
}
