/** Finds out which operation a request is, before the daemon sees it, so that a fault can be meant for one operation. */
import type { RouteDialect } from '../edge/http/endpoint.ts';
import { dialectOfPath, originForm } from '../edge/http/request-parts.ts';
import { routed } from '../edge/router.ts';
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
  return { operation: routed(method, target)?.endpoint.operation ?? otherOperation(method, target), dialect: dialectOfPath(target) };
}

function otherOperation(method: string, target: string): string {
  const path = (target.split('?')[0] ?? '').replaceAll(/\/+/g, '/').replace(/(?<=.)\/$/, '');
  if (LIVE.test(path)) return CONNECT;
  return method === 'POST' && RECEIVER.test(path) ? WEBHOOK : 'Request';
}
