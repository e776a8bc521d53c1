/** The two programs of the demo with live connections, made with `rosterd/client`: a subscriber to everything, and a chat client. */
import { WebSocket } from 'ws';
import { RosterClient } from '../../../protocol/client/roster-client.ts';
import { apiSecret } from '../../../protocol/client/tokens/secret.ts';
import type { ConnectedUser } from '../../../protocol/client/types.ts';

export interface Address {
  readonly url: string;
  readonly apiKey: string;
  readonly secret: string;
}

/** A connection that counts how often it was opened. */
class Watched {
  readonly client: RosterClient;
  /** Number of times it was opened. */
  opened = 0;

  constructor(client: RosterClient) {
    this.client = client;
    client.on('state', ({ kind }) => {
      if (kind === 'open') this.opened++;
    });
  }

  get isOpen(): boolean {
    return this.client.state.kind === 'open';
  }
}

/** Keeps a copy of all users, and a list of the changes received. */
export class DemoSubscriber extends Watched {
  readonly changes: { readonly seq: number; readonly id: string }[] = [];
  /** Number of times that resuming was not possible. */
  resyncs = 0;

  constructor({ url, apiKey, secret }: Address) {
    super(new RosterClient({ url, apiKey, webSocket: WebSocket, secret: apiSecret(secret) }));
    this.client.on('user.updated', ({ seq, user }) => this.changes.push({ seq, id: user.id }));
    this.client.on('resync', () => {
      this.resyncs++;
    });
  }

  /** Resolves with the number of users. */
  async connect(): Promise<number> {
    await this.client.connect();
    return (await this.client.subscribe({ sub: 'everything', all: true })).length;
  }
}

export class ChatClient extends Watched {
  constructor({ url, apiKey }: Pick<Address, 'url' | 'apiKey'>) {
    super(new RosterClient({ url, apiKey, webSocket: WebSocket }));
  }

  async connect(user: ConnectedUser, token: string): Promise<void> {
    await this.client.connectUser(user, token);
  }
}
