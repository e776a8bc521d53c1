/**
 * The clients that rosterd means to be proved with. One without a folder is reported as not covered in every run,
 * so that a missing proof stays visible instead of being forgotten.
 */
export interface Client {
  /** Folder of the program. */
  readonly name: string;
  /** Name of the published package, as in its registry. */
  readonly client: string;
  /** `live`: Socket.IO, over restarts of the daemon. */
  readonly dialect: 'v1' | 'v2' | 'feeds' | 'live';
}

export const CLIENTS: readonly Client[] = [
  { name: 'go-v2', client: 'getstream-go', dialect: 'v2' },
  { name: 'go-v1', client: 'stream-chat-go', dialect: 'v1' },
  { name: 'java-feeds', client: 'stream-java', dialect: 'feeds' },
  { name: 'python-feeds', client: 'stream-python', dialect: 'feeds' },
  { name: 'java-socketio', client: 'socket.io-client (Java)', dialect: 'live' },
  { name: 'python-socketio', client: 'python-socketio', dialect: 'live' },
];
