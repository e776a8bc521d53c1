/**
 * The description of the live protocol (AsyncAPI 3.0), made from the schemas that validate what clients send and that tests apply to
 * everything the daemon sends. It is written from the daemon's side: it receives what clients send.
 */
import type { TSchema } from 'typebox';
import { CLIENT_FRAMES, type ClientFrame, LIVE_SUBPROTOCOL } from '../../../protocol/live/client-frames.ts';
import { CLOSE } from '../../../protocol/live/close-codes.ts';
import { ANSWERS, CustomEvent, Refused, SERVER_EVENTS } from '../../../protocol/live/server-frames.ts';
import { hoist, type JsonSchema, plainSchema } from './schemas.ts';

/** Version of the description, not of the program: its major number changes when clients must change. */
const VERSION = '1.1.0';

const REQUESTS: Readonly<Record<ClientFrame['op'], string>> = {
  connect: 'The first frame: who the client is, where it goes on, and what it wants to hear of',
  sub: 'Subscribes to users by ids, teams or a filter, or to all',
  page: 'Asks for the next page of a snapshot',
  unsub: 'Ends a subscription',
  update: 'Partially updates the own user; with a server token, any',
  upsert: 'Creates or replaces users; server token only',
  refresh: 'Brings a new token of the same caller',
  ack: 'Acknowledges what a durable consumer took care of; not answered',
  ping: 'Asks how far the connection is',
};

const EVENTS: Readonly<Record<string, string>> = {
  'user.updated': 'The user is new (`created`), given back (`restored`) or changed',
  'user.deactivated': 'The user was deactivated',
  'user.reactivated': 'The user was reactivated',
  'user.deleted': 'The user was deleted',
  'user.banned': 'The user was banned',
  'user.unbanned': 'A ban was lifted, or ended',
  'user.muted': 'The user muted others; told to itself and servers',
  'user.unmuted': 'The user no longer mutes others; told to itself and servers',
  'user.flagged': 'The user was reported; told to servers',
  'user.unflagged': 'A report was taken back; told to servers',
  'user_group.created': 'A user group was created; only servers that subscribe to everything get this and all other events about documents',
  'user_group.updated': 'Its name, its description, or who is an admin',
  'user_group.deleted': 'The user group is gone; it is shown as it was last',
  'user_group.member_added': 'Users became members',
  'user_group.member_removed': 'Users are members no longer',
  'export.users.success': 'An export is complete; each sending of the event carries a new link',
  'export.users.error': 'An export failed',
  'import.updated': 'An import is in another state, or further on; at most once a second while it runs',
  'user.presence.changed': 'The user came or went',
  'user.hidden': 'The user went out of sight of this client, which gets nothing more about it',
  'presence.state': 'The users who are online now; after `reset`, all others are offline',
  'sub.reset': 'The subscription ended because what the client may see changed; subscribe anew',
  'health.check': 'A sign of life with the position; `caught_up`: what was missed is delivered',
  'token.expiring': 'The token ends in a minute; refresh it',
  'server.drain': 'The daemon stops; come back after `retry_ms`',
  'connection.error': 'Why the connection ends',
  'connection.closed': 'Socket.IO only: how the connection ends, in place of a close code',
};

const WEB_SOCKET = 'live';
const SOCKET_IO = 'socketio';

/** Names of messages in the document: `request.sub`, `answer.sub`, `event.user.updated`. */
export const messageName = {
  request: (op: string): string => `request.${op}`,
  answer: (op: string): string => `answer.${op}`,
  event: (type: string): string => `event.${Object.hasOwn(SERVER_EVENTS, type) ? type : 'custom'}`,
  refused: 'answer.refused',
} as const;

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly schema: TSchema;
}

function requests(): Described[] {
  // The literal has one key for each request, and no others.
  return (Object.keys(CLIENT_FRAMES) as ClientFrame['op'][]).map((op) => ({
    name: messageName.request(op),
    summary: REQUESTS[op],
    schema: CLIENT_FRAMES[op],
  }));
}

function answers(): Described[] {
  const named = Object.entries(ANSWERS).map(([op, schema]) => ({
    name: messageName.answer(op),
    summary: op === 'connect' ? 'The connection is open' : `Answers ${op}`,
    schema,
  }));
  return [...named, { name: messageName.refused, summary: 'A request was refused', schema: Refused }];
}

function events(): Described[] {
  const named = Object.entries(SERVER_EVENTS).map(([type, schema]) => ({
    name: messageName.event(type),
    summary: EVENTS[type] ?? type,
    schema,
  }));
  return [...named, { name: 'event.custom', summary: "An event of the application's own about the user", schema: CustomEvent }];
}

/** The whole document. */
export function describeLive(): JsonSchema {
  const schemas = new Map<string, JsonSchema>();
  const messages = [...requests(), ...answers(), ...events()];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'rosterd live',
      version: VERSION,
      description: `Live connections to a user directory. Close codes: ${Object.values(CLOSE)
        .map(({ code, reason }) => `${code} ${reason}`)
        .join('; ')}.`,
    },
    defaultContentType: 'application/json',
    servers: {
      daemon: {
        host: '{host}',
        protocol: 'ws',
        variables: { host: { default: '127.0.0.1:8800', description: 'where the daemon listens' } },
      },
    },
    channels: {
      [WEB_SOCKET]: {
        address: '/live',
        title: `WebSocket, subprotocol ${LIVE_SUBPROTOCOL}`,
        description: 'One JSON object per text frame, at most 64 KiB from the client.',
        messages: refsOf(messages.filter(({ name }) => name !== 'event.connection.closed')),
      },
      [SOCKET_IO]: {
        address: '/socket.io/',
        title: 'Socket.IO v4',
        description:
          'The `auth` of the connection is the connect request without `op`, a refusal is its `connect_error`. Requests are events named as their `op`, answered by acknowledgement; what the daemon tells is the event `event`.',
        messages: refsOf(messages),
      },
    },
    operations: operations(),
    components: {
      messages: Object.fromEntries(messages.map((message) => [message.name, described(message, schemas)])),
      schemas: Object.fromEntries(schemas),
    },
  };
}

function described({ name, summary, schema }: Described, schemas: Map<string, JsonSchema>): JsonSchema {
  return { name, title: name, summary, payload: hoist(plainSchema(schema), schemas) };
}

function refsOf(messages: readonly Described[]): JsonSchema {
  return Object.fromEntries(messages.map(({ name }) => [name, { $ref: `#/components/messages/${name}` }]));
}

function operations(): JsonSchema {
  const inChannel = (channel: string, name: string): JsonSchema => ({ $ref: `#/channels/${channel}/messages/${name}` });
  const made: [string, JsonSchema][] = [];
  for (const channel of [WEB_SOCKET, SOCKET_IO]) {
    const of = (name: string): JsonSchema => inChannel(channel, name);
    for (const { name, summary } of requests()) {
      const op = name.slice(messageName.request('').length);
      const replies = [...(Object.hasOwn(ANSWERS, op) ? [messageName.answer(op)] : []), messageName.refused];
      made.push([
        `${channel}.${op}`,
        {
          action: 'receive',
          channel: { $ref: `#/channels/${channel}` },
          summary,
          messages: [of(name)],
          reply: { channel: { $ref: `#/channels/${channel}` }, messages: replies.map(of) },
        },
      ]);
    }
    const told = events().filter(({ name }) => channel === SOCKET_IO || name !== 'event.connection.closed');
    made.push([
      `${channel}.tell`,
      {
        action: 'send',
        channel: { $ref: `#/channels/${channel}` },
        summary: 'Tells what happens',
        messages: told.map(({ name }) => of(name)),
      },
    ]);
  }
  return Object.fromEntries(made);
}
