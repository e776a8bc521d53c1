/**
 * A subscriber as a good client is one: it keeps a copy of what one subscription shows, applies a record only when its
 * `rev` is newer, resumes where it was after every cut, and takes a snapshot when it is told to. It notes what no
 * subscriber may ever get: an event twice, one out of order, one behind a goodbye.
 */
import { IoClient } from './io-client.ts';
import { LiveClient } from './live-client.ts';
import type { Frame } from './received.ts';

interface Known {
  readonly rev: number;
  /** Undefined when the user is not in the copy any more. */
  readonly user: Frame | undefined;
}

export interface FollowerOptions {
  readonly name: string;
  readonly transport: 'ws' | 'io' | 'io polling';
  readonly url: () => string;
  /** `connect` without resume and subs; asked each time, because tokens end. */
  readonly connect: () => Record<string, unknown>;
  /** The subscription, without its name. */
  readonly want: Record<string, unknown>;
  readonly presence?: boolean;
  /** Sees everyone all the time, so that it can always go on where it was. */
  readonly isServer: boolean;
}

/** One connection, whatever its transport. */
interface Wire {
  request(op: string, argument: object): Promise<Frame>;
  /** Cuts it as a network failure would. */
  cut(): void;
  pause(): void;
  resume(): void;
}

/** Name of the one subscription of a follower. */
const SUB = 'copy';

export class Follower {
  readonly options: FollowerOptions;
  /** Users of the copy and what was last heard of those that left it. */
  readonly #known = new Map<string, Known>();
  readonly online = new Set<string>();
  /** Seq of every event since the last snapshot began, own events included. */
  seqs: number[] = [];
  /** Events and pages that came, over the whole life: it grows as long as there is something to catch up with. */
  heard = 0;
  /** Position after which `seqs` begins. */
  since = 0;
  /** What must never happen. */
  readonly breaches: string[] = [];
  resumes = 0;
  resyncs = 0;
  resets = 0;
  gone = 0;
  /** Codes of the errors that ended connections or refused them. */
  readonly errors: number[] = [];
  #wire: Wire | undefined;
  #position: { epoch: string; seq: number } | undefined;
  #isComplete = false;
  #isPaused = false;
  #connecting: Promise<boolean> | undefined;
  #snapshots: Promise<void> = Promise.resolve();

  constructor(options: FollowerOptions) {
    this.options = options;
  }

  get isConnected(): boolean {
    return this.#wire !== undefined;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  get position(): { epoch: string; seq: number } | undefined {
    return this.#position;
  }

  /** The copy: every user that the subscription shows. */
  get users(): Map<string, Frame> {
    const users = new Map<string, Frame>();
    for (const [id, { user }] of this.#known) if (user !== undefined) users.set(id, user);
    return users;
  }

  /** Connects, or connects again. False when it was refused. */
  connect(): Promise<boolean> {
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connect(): Promise<boolean> {
    if (this.#wire !== undefined) return true;
    const { want, presence, connect, name, isServer } = this.options;
    // A snapshot that was cut off is no position to go on from.
    const resume = this.#isComplete ? this.#position : undefined;
    const subs = [{ sub: SUB, ...want, ...(presence === true ? { presence } : {}) }];
    const frame = { ...connect(), subs, ...(resume === undefined ? {} : { resume }) };
    const opened = this.options.transport === 'ws' ? await this.#openWs(frame) : await this.#openIo(frame);
    if (opened === undefined) return false;
    if (opened.resumed !== (resume !== undefined) && isServer) this.breaches.push(`${name}: not resumed from ${resume?.seq}`);
    return true;
  }

  async #openWs(frame: Record<string, unknown>): Promise<Frame | undefined> {
    let client: LiveClient;
    try {
      client = await LiveClient.open(`${this.options.url()}/live`.replace(/^http/, 'ws'));
    } catch {
      return undefined;
    }
    const wire: Wire = {
      request: (op, argument) => client.request({ op, ...argument }),
      cut: () => client.terminate(),
      pause: () => client.ws.pause(),
      resume: () => client.ws.resume(),
    };
    this.#wire = wire;
    let isOver = false;
    client.ws.on('message', (data) => {
      if (this.#wire !== wire) return;
      const got: Frame = JSON.parse(data.toString());
      if (isOver) this.breaches.push(`${this.options.name}: ${got.type} behind the goodbye`);
      if (got.type === 'connection.error') isOver = true;
      this.#take(got);
    });
    void client.closed.then(() => this.#lost(wire));
    client.send({ op: 'connect', ...frame });
    return await client.until(({ type }) => type === 'connection.ok', 'connection.ok').catch(() => undefined);
  }

  async #openIo(frame: Record<string, unknown>): Promise<Frame | undefined> {
    const client = new IoClient(this.options.url(), frame, {
      transports: this.options.transport === 'io' ? ['websocket'] : ['polling'],
    });
    // The client library notices a cut while it connects only after 20 s.
    let cutShort = (): void => {};
    const isCut = new Promise<never>((_, reject) => {
      cutShort = () => reject(new Error('cut while it connected'));
    });
    const wire: Wire = {
      request: async (op, argument) => {
        const answer = await client.request(op, argument);
        if (answer.error !== undefined) throw new Error(answer.error.message);
        return answer;
      },
      cut: () => {
        client.socket.io.engine.close();
        cutShort();
      },
      pause: () => {},
      resume: () => {},
    };
    this.#wire = wire;
    let isOver = false;
    client.socket.on('event', (got: Frame) => {
      if (this.#wire !== wire) return;
      if (isOver && got.type !== 'connection.closed') this.breaches.push(`${this.options.name}: ${got.type} behind the goodbye`);
      if (got.type === 'connection.error') isOver = true;
      this.#take(got);
    });
    client.socket.on('disconnect', () => this.#lost(wire));
    return await Promise.race([client.opened(), isCut]).catch((error: { data?: { code?: number } }) => {
      if (error.data?.code !== undefined) this.errors.push(error.data.code);
      client.close();
      this.#lost(wire);
      return undefined;
    });
  }

  #lost(wire: Wire): void {
    if (this.#wire === wire) this.#wire = undefined;
  }

  #take(frame: Frame): void {
    const { type } = frame;
    if (type === 'connection.error') this.errors.push(frame.error.code);
    else if (type === 'connection.ok') this.#opened(frame);
    else if (type === 'sub.reset') this.#reset();
    else if (type === 'presence.state') this.#presenceState(frame);
    else if (type === 'user.presence.changed') this.#setOnline(frame.user);
    else if (type === 'health.check') this.#moveTo(frame.seq);
    else if (frame.sub === SUB && Array.isArray(frame.users)) this.#page(frame);
    else if (typeof type === 'string' && typeof frame.seq === 'number' && frame.user !== undefined) this.#event(frame);
  }

  #opened({ epoch, seq, resumed }: Frame): void {
    if (resumed) {
      this.resumes++;
      return;
    }
    if (this.#position !== undefined) this.resyncs++;
    this.#position = { epoch, seq };
    this.#restart(seq);
  }

  #restart(seq: number): void {
    this.#known.clear();
    this.online.clear();
    this.#isComplete = false;
    this.seqs = [];
    this.since = seq;
  }

  /** What was shown may be too much or too little now: a new snapshot. */
  #reset(): void {
    this.resets++;
    this.#restart(this.#position?.seq ?? 0);
    const wire = this.#wire;
    const { want, presence } = this.options;
    const frame = { sub: SUB, ...want, ...(presence === true ? { presence } : {}) };
    this.#ask(wire, 'sub', frame);
  }

  /** The answer of a Socket.IO request does not come as an event. */
  #ask(wire: Wire | undefined, op: string, frame: object): void {
    if (wire === undefined) return;
    this.#snapshots = wire.request(op, frame).then(
      (answer) => {
        if (this.options.transport !== 'ws' && this.#wire === wire) this.#page(answer);
      },
      () => {
        // Refused or cut: the copy stays incomplete, and the next connection begins with a snapshot.
      },
    );
  }

  #page({ users, more, gone }: Frame): void {
    this.heard++;
    if (gone !== undefined) this.gone++;
    for (const user of users) {
      const known = this.#known.get(user.id);
      if (known !== undefined && known.rev >= user.rev) continue;
      this.#known.set(user.id, { rev: user.rev, user });
      this.#setOnline(user);
    }
    if (more !== undefined) {
      this.#ask(this.#wire, 'page', { sub: SUB, more });
      return;
    }
    this.#isComplete = true;
    // The position stays: on a resumed connection, what came before the snapshot may still be on its way.
  }

  #event(frame: Frame): void {
    const { type, seq, user, sub, match, custom } = frame;
    this.heard++;
    const last = Math.max(this.seqs.at(-1) ?? 0, this.since);
    if (seq <= last) {
      const during = `${type} ${user.id} rev ${user.rev}, since ${this.since}, at ${this.#position?.seq}`;
      this.breaches.push(`${this.options.name}: event ${seq} came after ${last} (${during})`);
    }
    this.seqs.push(seq);
    this.#moveTo(seq);
    if (sub?.includes(SUB) !== true && type !== 'user.hidden') return;
    const isGone = type === 'user.deleted' || type === 'user.hidden' || match === 'leave';
    // A custom event shows the user as it was: it is no news of it.
    const rev = type === 'user.hidden' || (isGone && custom === undefined) ? seq : user.rev;
    const known = this.#known.get(user.id);
    if (known !== undefined && known.rev >= rev && !isGone) return;
    this.#known.set(user.id, { rev, user: isGone ? undefined : user });
    if (isGone) this.online.delete(user.id);
  }

  #moveTo(seq: number): void {
    if (this.#position !== undefined) this.#position = { ...this.#position, seq: Math.max(this.#position.seq, seq) };
  }

  #setOnline({ id, online }: Frame): void {
    if (online === true) this.online.add(id);
    else this.online.delete(id);
  }

  #presenceState({ reset, online }: Frame): void {
    if (reset === true) this.online.clear();
    for (const id of online) this.online.add(id);
  }

  cut(): void {
    const wire = this.#wire;
    this.#wire = undefined;
    this.#isPaused = false;
    wire?.cut();
  }

  pause(): void {
    this.#isPaused = true;
    this.#wire?.pause();
  }

  resume(): void {
    if (this.#isPaused) this.#wire?.resume();
    this.#isPaused = false;
  }

  /** Sends a verb; undefined when it failed, because the connection ended or because it was refused, and while nothing is read. */
  async request(op: string, argument: object = {}): Promise<Frame | undefined> {
    const answer = this.#wire?.request(op, argument).catch(() => undefined);
    return this.#isPaused ? undefined : await answer;
  }

  /** Resolves once the copy is complete and everything up to `seq` was handed over; false when the connection ended before. */
  async reached(seq: number): Promise<boolean> {
    for (;;) {
      const answer = await this.request('ping');
      if (answer === undefined) return false;
      await this.#snapshots;
      if (answer.seq >= seq && this.#isComplete) return true;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
