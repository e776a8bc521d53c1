/**
 * How a connection receives messages: the rendering, and the envelope around the JSON. A WebSocket takes plain JSON, Socket.IO an event
 * packet of its protocol; both inside a text frame.
 */
import type { EventDialect } from '../../../protocol/live/user-events.ts';
export type EventForm = EventDialect | `io ${EventDialect}`;

const DIALECTS: Readonly<Record<EventForm, EventDialect>> = {
  live: 'live',
  'live-ns': 'live-ns',
  v1: 'v1',
  'io live': 'live',
  'io live-ns': 'live-ns',
  'io v1': 'v1',
};

export function dialectOf(form: EventForm): EventDialect {
  return DIALECTS[form];
}

/** The content of a frame for this JSON. `42` is an Engine.IO message with a Socket.IO event in the main namespace. */
export function wrapped(form: EventForm, json: string): string {
  return form.startsWith('io ') ? `42["event",${json}]` : json;
}
