/** Finds out which operation a request is, before the daemon sees it, so that a fault can be meant for one operation. */
import type { RouteDialect } from '../edge/http/endpoint.ts';
import { dialectOfPath, originForm } from '../edge/http/request-parts.ts';
import { ROUTES } from '../edge/routes.ts';

/** A live connection, over WebSocket or Socket.IO. */
export const CONNECT = 'Connect';
/** A delivery of a webhook to the emulator. */
export const WEBHOOK = 'Webhook';

export const FAULT_OPERATIONS: readonly string[] = [...new Set([CONNECT, WEBHOOK, ...ROUTES.map(({ operation }) => operation)])];

interface Pattern {
  readonly operation: string;
  readonly method: string;
  readonly path: RegExp;
  readonly params: number;
}

/** Those with fewer parameters first, as the router of the edge prefers them. */
const PATTERNS: readonly Pattern[] = ROUTES.map(({ operation, method, path }) => ({
  operation,
  method,
  path: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:[a-z_]+/g, '[^/]+')}$`),
  params: path.split(':').length,
})).sort((a, b) => a.params - b.params);

const RECEIVER = /^\/emulator\/webhooks\/[^/]+$/;
const LIVE = /^\/(live|connect|socket\.io)(\/|$)/;

export interface RequestedOperation {
  /** `Request` for a path that is none of them. */
  readonly operation: string;
  readonly dialect: RouteDialect;
}

export function operationOf({
  method,
  url = '',
}: {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}): RequestedOperation {
  const target = originForm(url);
  const path = (target.split('?')[0] ?? '').replaceAll(/\/+/g, '/').replace(/(?<=.)\/$/, '');
  const found = PATTERNS.find((pattern) => pattern.method === method && pattern.path.test(path))?.operation;
  const other = LIVE.test(path) ? CONNECT : method === 'POST' && RECEIVER.test(path) ? WEBHOOK : 'Request';
  return { operation: found ?? other, dialect: dialectOfPath(target) };
}
