/** Finds out which operation a request is, before the daemon sees it, so that a fault can be meant for one operation. */
import type { RouteDialect } from '../edge/http/endpoint.ts';
import { dialectOfPath, originForm } from '../edge/http/request-parts.ts';
import { BAD_PATH, routed } from '../edge/router.ts';
import { ROUTES } from '../edge/routes.ts';

/** A live connection, over WebSocket or Socket.IO. */
export const CONNECT = 'Connect';
/** A delivery of a webhook to the emulator. */
export const WEBHOOK = 'Webhook';

export const FAULT_OPERATIONS: readonly string[] = [...new Set([CONNECT, WEBHOOK, ...ROUTES.map(({ operation }) => operation)])];

const RECEIVER = /^\/emulator\/webhooks\/[^/]+$/;
const LIVE = /^\/(live|connect|socket\.io)(\/|$)/;

export interface RequestedOperation {
  /** `Request` for a path that is none of them. */
  readonly operation: string;
  readonly dialect: RouteDialect;
}

export function operationOf({
  method = '',
  url = '',
}: {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}): RequestedOperation {
  const target = originForm(url);
  const path = (target.split('?')[0] ?? '').replaceAll(/\/+/g, '/').replace(/(?<=.)\/$/, '');
  const found = routed(method, target);
  if (found !== undefined && found !== BAD_PATH) return { operation: found.endpoint.operation, dialect: dialectOfPath(target) };
  const other = LIVE.test(path) ? CONNECT : method === 'POST' && RECEIVER.test(path) ? WEBHOOK : 'Request';
  return { operation: other, dialect: dialectOfPath(target) };
}
