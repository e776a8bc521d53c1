/**
 * Golden examples (test/golden): requests as clients send them, with the answers that are promised. This reads them,
 * sends them to a real daemon, and compares answers with what changes from run to run masked.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Seals } from '../../../daemon/edge/console/seals.ts';
import type { Endpoint } from '../../../daemon/edge/http/endpoint.ts';
import type { LiveClient } from '../live/live-client.ts';
import { API_KEY, API_SECRET, serverToken, userToken } from '../world.ts';
import { checkAnswer, checkAnswerType, endpointOf } from './answer-check.ts';
import { type AnswerHeaders, send } from './request.ts';

export interface GoldenRequest {
  readonly method: string;
  /** Exactly what stands in the request line, before the query; or a whole URL that another answer gave. */
  readonly path: string;
  /** Parameters of the query beside `api_key`. Whatever is no text is sent as JSON text. */
  readonly query?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly text?: string;
}

export interface GoldenAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** The body of an answer that is not JSON. */
  readonly text?: string;
}

export interface GoldenStep {
  readonly title: string;
  /** Who asks; see README.md. Default: `server`. */
  readonly as?: string;
  readonly request: GoldenRequest;
  readonly answer: GoldenAnswer;
  /** Values of the answer that later requests use as `${name}`: the name, and the keys that lead to the value, with dots between. */
  readonly remember?: Readonly<Record<string, string>>;
  /** The request is repeated until the answer has these values: a task needs a moment. */
  readonly until?: Readonly<Record<string, unknown>>;
  /** Only these keys of the answer are compared: the rest is long and checked elsewhere. */
  readonly show?: readonly string[];
}

export interface GoldenFile {
  readonly name: string;
  readonly about: string;
  /** Settings of the daemon that differ from the defaults, as flags. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Live connections of a server that are open from the start: what their connect frames say. The id of the first is remembered as `connection_1`. */
  readonly connect?: readonly Readonly<Record<string, unknown>>[];
  readonly steps: readonly GoldenStep[];
}

/** Where a story is told: a world, or several nodes behind one address. */
export interface GoldenPlace {
  readonly daemon: { readonly url: string };
  /** A raw live connection that has sent nothing yet. */
  open(): Promise<LiveClient>;
  /** Headers that are sent beside those of the example, as a client does that reads what it wrote wherever it asks. */
  headersFor?(method: string, path: string): Readonly<Record<string, string>>;
  onAnswer?(method: string, headers: AnswerHeaders): void;
}

const folder = resolve(import.meta.dirname, '../../golden');

/** True when this run is to write the answers down instead of comparing them. */
export const isWritingGolden = process.env.ROSTERD_GOLDEN === 'write';

export function goldenFiles(): readonly GoldenFile[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => ({ name, ...JSON.parse(readFileSync(join(folder, name), 'utf8')) }));
}

export function writeGolden({ name, ...file }: GoldenFile): void {
  writeFileSync(join(folder, name), `${JSON.stringify(file, null, 2)}\n`);
}

/** The row that serves a step; `memory` fills in what its path takes from earlier answers. */
export function rowOf({ request }: GoldenStep, memory: ReadonlyMap<string, string>): Endpoint | undefined {
  return endpointOf(request.method, filled(request.path, memory).replace(/^https?:\/\/[^/]+/, ''));
}

export interface Received {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body?: unknown;
  readonly text: string;
  /** The path that was asked for, without the query. */
  readonly path: string;
}

const seconds = (): number => Math.floor(Date.now() / 1000);

const cookies = new Map<string, Promise<string>>();

/** The cookie of a browser that is signed in to the console as `name`. */
function cookieOf(place: GoldenPlace, name: string): Promise<string> {
  const key = `${place.daemon.url} ${name}`;
  const known = cookies.get(key) ?? signedIn(place);
  cookies.set(key, known);
  return known;
}

async function signedIn(place: GoldenPlace): Promise<string> {
  const code = new Seals(API_SECRET).newCode('operate', Date.now());
  const headers = { 'X-Rosterd-Console': '1', 'Content-Type': 'application/json' };
  const answer = await send(`${place.daemon.url}/console/sign-in`, { method: 'POST', headers, body: JSON.stringify({ code }) });
  place.onAnswer?.('POST', answer.headers);
  return String(answer.headers.get('set-cookie')).split(';')[0] ?? '';
}

/** The token that `as` stands for. */
export function tokenFor(as: string, memory: ReadonlyMap<string, string>): string | undefined {
  const [kind = '', name = ''] = as.split(' ');
  switch (kind) {
    case 'server':
      return serverToken();
    case 'php':
      return serverToken({ server: 'true' });
    case 'user':
      return userToken(name, { iat: seconds() });
    case 'anonymous':
      return userToken('!anon');
    case 'feeds':
      return serverToken({ server: undefined, resource: name, action: '*', feed_id: '*', user_id: '*' });
    case 'token':
      return memory.get(name);
    case 'raw':
      return name;
    case 'console':
    case 'key':
    case 'nobody':
      return undefined;
    default:
      throw new Error(`nobody is called "${as}"`);
  }
}

/** A value with what earlier answers gave in place of `${name}`. */
export function filled<T>(value: T, memory: ReadonlyMap<string, string>): T {
  return JSON.parse(
    JSON.stringify(value).replaceAll(/\$\{(\w+)\}/g, (_, name: string) => {
      const known = memory.get(name);
      if (known === undefined) throw new Error(`nothing was remembered as ${name}`);
      return JSON.stringify(known).slice(1, -1);
    }),
  );
}

/** Sends a request; `memory` fills in what earlier answers gave. Every answer is held against the description of the API. */
export async function sendGolden(
  place: GoldenPlace,
  request: GoldenRequest,
  as: string,
  memory: ReadonlyMap<string, string> = new Map(),
): Promise<Received> {
  const { method, path, query = {}, headers = {}, body, text } = filled(request, memory);
  const token = tokenFor(as, memory);
  const parameters = new URLSearchParams(as === 'nobody' ? {} : { api_key: API_KEY });
  for (const [name, value] of Object.entries(query)) parameters.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  const isConsole = as.startsWith('console ');
  const base = /^https?:/.test(path) ? path : `${place.daemon.url}${isConsole ? '/console/api' : ''}${path}`;
  const plain = base.replace(/^https?:\/\/[^/]+(\/console\/api)?/, '').split('?')[0] ?? '';
  const asked = parameters.size === 0 ? base : `${base}${base.includes('?') ? '&' : '?'}${parameters}`;
  const cookie = isConsole ? await cookieOf(place, as) : '';
  const data = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await send(asked, {
    method,
    headers: {
      ...(token === undefined ? undefined : { Authorization: token, 'Stream-Auth-Type': 'jwt' }),
      ...(data === undefined ? undefined : { 'Content-Type': 'application/json' }),
      ...(isConsole ? { 'X-Rosterd-Console': '1', cookie } : undefined),
      // The page names its position in every request: its sign-in is one of its writes.
      ...place.headersFor?.(isConsole ? 'GET' : method, plain),
      ...headers,
    },
    body: data,
  });
  place.onAnswer?.(method, response.headers);
  const raw = response.text;
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  const answer: unknown = isJson && raw !== '' ? JSON.parse(raw) : undefined;
  if (response.status !== 204) checkAnswerType(method, plain, response.status, response.headers.get('content-type'));
  if (isJson) checkAnswer(method, plain, response.status, answer);
  return { status: response.status, headers: response.headers, body: answer, text: raw, path: plain };
}

const WAIT_MS = 60_000;

function holds(body: unknown, wanted: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(wanted).every(([path, value]) => JSON.stringify(valueAt(body, path)) === JSON.stringify(value));
}

/** Opens the live connections of a story; gives the memory that it begins with. */
export async function beginStory(place: GoldenPlace, { connect = [] }: GoldenFile): Promise<Map<string, string>> {
  const memory = new Map<string, string>();
  for (const [index, frame] of connect.entries()) {
    const client = await place.open();
    const { connection_id } = await client.request({ op: 'connect', api_key: API_KEY, token: serverToken(), ...frame });
    memory.set(`connection_${index + 1}`, String(connection_id));
  }
  return memory;
}

/** Runs one step, waits for what it waits for, and remembers what it is to remember. */
export async function play(place: GoldenPlace, step: GoldenStep, memory: Map<string, string>): Promise<Received> {
  const endMs = Date.now() + WAIT_MS;
  let received = await sendGolden(place, step.request, step.as ?? 'server', memory);
  while (step.until !== undefined && !holds(received.body, step.until) && Date.now() < endMs) {
    await new Promise((done) => setTimeout(done, 20));
    received = await sendGolden(place, step.request, step.as ?? 'server', memory);
  }
  for (const [name, path] of Object.entries(step.remember ?? {})) {
    const value = valueAt(received.body, path);
    if (value === undefined) throw new Error(`${step.title}: the answer has no ${path}: ${received.text}`);
    memory.set(name, String(value));
  }
  return received;
}

function valueAt(value: unknown, path: string): unknown {
  let found = value;
  for (const key of path.split('.')) {
    found = typeof found === 'object' && found !== null ? Object.getOwnPropertyDescriptor(found, key)?.value : undefined;
  }
  return found;
}

/** What is compared: the status, the headers that the example names, and the body with what differs between runs masked. */
export function maskedAnswer(
  { status, headers, body, text }: Received,
  step: GoldenStep,
  place: GoldenPlace,
  memory: Map<string, string>,
): GoldenAnswer {
  const mask = new Mask(place, memory);
  const named = Object.keys(step.answer.headers ?? {});
  return {
    status,
    ...(named.length === 0
      ? undefined
      : { headers: Object.fromEntries(named.map((name) => [name, mask.text(headers.get(name) ?? '(not there)')])) }),
    ...(body === undefined ? { text: mask.lines(text) } : { body: mask.value(shown(body, step), '') }),
  };
}

function shown(body: unknown, { show }: GoldenStep): unknown {
  return show === undefined ? body : Object.fromEntries(Object.entries(Object(body)).filter(([key]) => show.includes(key)));
}

/** Times further away than this were sent by an example itself, and stay as they are. */
const NEAR_MS = 30 * 24 * 3_600_000;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?/g;

class Mask {
  readonly #place: GoldenPlace;
  readonly #names: readonly (readonly [string, string])[];

  constructor(place: GoldenPlace, memory: ReadonlyMap<string, string>) {
    this.#place = place;
    // What contains something else that is remembered goes first.
    // URLs are easier to read as they are.
    this.#names = [...memory].filter(([name]) => !name.endsWith('url')).sort(([, a], [, b]) => b.length - a.length);
  }

  lines(text: string): string {
    return text
      .split('\n')
      .map((line) => (line.startsWith('{') ? JSON.stringify(this.value(JSON.parse(line), '')) : this.text(line)))
      .join('\n');
  }

  value(value: unknown, key: string): unknown {
    if (Array.isArray(value)) return value.map((item) => this.value(item, key));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [this.text(name), this.value(item, name)]));
    }
    if (key === 'crc32' || key === 'sha256' || key === 'sign_in') return `<${key}>`;
    if (typeof value === 'string') return key === 'duration' || key === 'epoch' ? `<${key}>` : this.text(value);
    if (typeof value !== 'number') return value;
    if (key === 'reset') return '<unix seconds>';
    if (value > 1e15 && Math.abs(value / 1e3 - Date.now()) < NEAR_MS) return '<microseconds>';
    return value > 1e18 && Math.abs(value / 1e6 - Date.now()) < NEAR_MS ? '<nanoseconds>' : value;
  }

  text(text: string): string {
    let masked = text;
    for (const [name, value] of this.#names) if (value.length > 8) masked = masked.replaceAll(value, `\${${name}}`);
    return masked
      .replaceAll(this.#place.daemon.url, '<rosterd>')
      .replaceAll(API_SECRET, '<secret>')
      .replaceAll(/eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+/g, '<token>')
      .replaceAll(/exp=\d+&sig=[\w-]+/g, 'exp=<unix seconds>&sig=<signature>')
      .replaceAll(UUID, '<uuid>')
      .replaceAll(TIME, (time) => (Math.abs(Date.parse(time) - Date.now()) < NEAR_MS ? '<time>' : time));
  }
}
