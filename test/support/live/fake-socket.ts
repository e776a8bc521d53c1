/** A client on scripted sockets, and a clock of the test's own. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Link, type LinkOptions } from '../../../protocol/client/link/link.ts';
import type { SocketLike } from '../../../protocol/client/link/socket.ts';
import { Nodes } from '../../../protocol/client/nodes.ts';
import type { RosterClientOptions } from '../../../protocol/client/options.ts';
import { RosterClient } from '../../../protocol/client/roster-client.ts';
import type { TokenSource } from '../../../protocol/client/tokens/token-keeper.ts';
import type { ConnectionState } from '../../../protocol/client/types.ts';

type Sent = Record<string, unknown>;

export class FakeSocket implements SocketLike {
  static made: FakeSocket[] = [];
  readonly sent: Sent[] = [];
  readonly url: string;
  closedWith: number | undefined;
  readonly #listeners = new Map<string, (event: never) => void>();

  constructor(url: string) {
    this.url = url;
    FakeSocket.made.push(this);
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.set(type, listener);
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code = 1005): void {
    this.closedWith = code;
  }

  emit(type: string, event: object = {}): void {
    this.#listeners.get(type)?.(event as never);
  }

  tell(frame: object): void {
    this.emit('message', { data: JSON.stringify(frame) });
  }

  last(op: string): Sent {
    const found = this.sent.findLast((frame) => frame.op === op);
    assert.ok(found !== undefined, `no ${op} was sent`);
    return found;
  }

  /** Opens, and accepts the connect. */
  welcome(more: object = {}): void {
    this.emit('open');
    const ok = { type: 'connection.ok', connection_id: 'c', epoch: 'e', seq: 10, heartbeat_ms: 1_000, resumed: false };
    this.tell({ re: this.last('connect').id, ...ok, ...more });
  }

  refuse(code: number, status: number, closeCode: number, more: object = {}): void {
    this.emit('open');
    this.tell({ type: 'connection.error', re: this.last('connect').id, error: { code, StatusCode: status, message: 'no' }, ...more });
    this.emit('close', { code: closeCode, reason: '' });
  }
}

/** The latest one. */
export const socket = (): FakeSocket => {
  const last = FakeSocket.made.at(-1);
  assert.ok(last !== undefined);
  return last;
};

/** The state, and the code of what ended it. */
export function ending({ state }: RosterClient): unknown[] {
  return [state.kind, state.kind === 'closed' ? state.error?.code : undefined];
}

/** Lets everything that waits for nothing but its turn run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** A client whose sockets are scripted, and a clock that `pass` moves. */
export function start(
  t: TestContext,
  options: Partial<RosterClientOptions> = {},
): { client: RosterClient; pass: (ms: number) => Promise<void> } {
  FakeSocket.made = [];
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const client = new RosterClient({ url: 'http://host:1', apiKey: 'key', webSocket: FakeSocket, random: () => 0.5, ...options });
  t.after(() => client.disconnectUser());
  const pass = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    await settle();
  };
  return { client, pass };
}

/** A client that is connected as a server. */
export async function connected(t: TestContext, options: Partial<RosterClientOptions> = {}, token: TokenSource = 'token') {
  const made = start(t, options);
  const open = made.client.connect(token);
  await settle();
  socket().welcome();
  await open;
  return made;
}

/** A link of its own, without a client around it. */
export function bareLink(options: Partial<LinkOptions>): { link: Link; states: ConnectionState[] } {
  FakeSocket.made = [];
  const states: ConnectionState[] = [];
  const owner = {
    hello: () => ({}),
    retries: () => false,
    opened: () => {},
    took: () => {},
    became: (state: ConnectionState) => void states.push(state),
  };
  return {
    link: new Link({ nodes: new Nodes('http://host:1'), apiKey: 'key', webSocket: FakeSocket, random: () => 0.5, ...options }, owner),
    states,
  };
}
