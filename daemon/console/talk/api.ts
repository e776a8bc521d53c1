/** Calls of the daemon's endpoints through `/console/api`: the cookie says who calls. */
import { positionOf } from '../../../protocol/base/position-text.ts';
import type { ApiCall, JsonRecord } from './api-call.ts';

/** A refusal of the daemon, or no answer (`status` 0). */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** The newest position of an answer: a node that is asked next answers from there on. */
let position: string | undefined;

/** Called when the daemon no longer knows the sign-in. */
let onSignedOut = (): void => {};

export function whenSignedOut(call: () => void): void {
  onSignedOut = call;
}

export interface TaggedAnswer {
  readonly answer: JsonRecord;
  /** The revision of what it shows, for `ifMatch`. */
  readonly tag: string | undefined;
}

/** The answer of an endpoint. Rejects with ApiError, or with the reason of `signal`. */
export async function api(call: ApiCall, signal?: AbortSignal): Promise<JsonRecord> {
  return (await taggedApi(call, signal)).answer;
}

/** The same with the revision. */
export async function taggedApi(call: ApiCall, signal?: AbortSignal): Promise<TaggedAnswer> {
  return await taggedAsk(`api${call.path}`, call, signal);
}

/** The answer of a path of the console itself. Rejects as `api`. */
export async function ask(path: string, call: Omit<ApiCall, 'path'>): Promise<JsonRecord> {
  return (await taggedAsk(path, call)).answer;
}

async function taggedAsk(path: string, call: Omit<ApiCall, 'path'>, signal?: AbortSignal): Promise<TaggedAnswer> {
  const { method, body, file, ifMatch } = call;
  const response = await fetch(path, {
    method,
    ...(signal === undefined ? undefined : { signal }),
    credentials: 'same-origin',
    headers: {
      'X-Rosterd-Console': '1',
      ...(file === undefined ? undefined : { 'Content-Type': 'application/octet-stream' }),
      ...(body === undefined ? undefined : { 'Content-Type': 'application/json' }),
      ...(ifMatch === undefined ? undefined : { 'If-Match': ifMatch }),
      ...(position === undefined ? undefined : { 'X-Rosterd-Position': position }),
    },
    ...(file === undefined ? undefined : { body: file }),
    ...(body === undefined ? undefined : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    if (signal?.aborted === true) throw error;
    throw new ApiError(0, 'the daemon does not answer');
  });
  advance(response.headers.get('X-Rosterd-Position'));
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return { answer, tag: response.headers.get('ETag') ?? undefined };
  if (response.status === 401) onSignedOut();
  // A directory that was replaced has positions of its own.
  if (response.status === 400 && 'x-rosterd-position' in (answer.exception_fields ?? {})) position = undefined;
  throw new ApiError(response.status, reasonOf(answer) ?? `the daemon answers with status ${response.status}`);
}

/** The lines of an answer that is a file of lines, as they come. Rejects as `api`. */
export async function* apiLines(path: string): AsyncGenerator<string> {
  const headers = { 'X-Rosterd-Console': '1', ...(position === undefined ? undefined : { 'X-Rosterd-Position': position }) };
  const response = await fetch(`api${path}`, { credentials: 'same-origin', headers });
  if (!response.ok || response.body === null) throw new ApiError(response.status, `the daemon answers with status ${response.status}`);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + decoder.decode(value, { stream: !done })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line !== '');
    if (done) break;
  }
  if (rest !== '') yield rest;
}

function advance(text: string | null): void {
  const next = text === null ? undefined : positionOf(text);
  const held = position === undefined ? undefined : positionOf(position);
  if (text === null || next === undefined) return;
  if (held === undefined || held.epoch !== next.epoch || held.seq < next.seq) position = text;
}

/** The reason within `<Operation> failed with error: "<reason>"`. */
function reasonOf({ message }: JsonRecord): string | undefined {
  if (typeof message !== 'string') return undefined;
  return /^\w+ failed with error: "([\s\S]*)"$/.exec(message)?.[1] ?? message;
}

/** What a failed change is called. `what` was shown, and may be another by now. */
export function whyUnchanged(what: string): (thrown: unknown) => string {
  return (thrown) =>
    thrown instanceof ApiError && thrown.status === 412
      ? `${what} changed meanwhile: close this, and look at what is there now.`
      : errorReason(thrown);
}

export function errorReason(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
