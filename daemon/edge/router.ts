/**
 * Which endpoint a request is for. The table of the endpoints is the same for every server of a process, so it is searched by one index of
 * them all: indexing it for each server would take longer than all the rest of its start.
 */
import newRouter from 'find-my-way';
import type { Endpoint, Routed } from './http/endpoint.ts';
import { ROUTES } from './routes.ts';

/** Longer than any id, even when every byte of it is escaped. */
const PARAM_CHARS_MAX = 4_096;

/** Of paths: `/users/` and `//users` are `/users`. */
export const PATH_RULES = { ignoreDuplicateSlashes: true, ignoreTrailingSlash: true } as const;

const never = (): never => {
  throw new Error('it is only asked which endpoint it is');
};

function indexed() {
  const router = newRouter({
    ...PATH_RULES,
    maxParamLength: PARAM_CHARS_MAX,
    querystringParser: () => undefined,
    // `find` answers with one of these, and no endpoint, for a path that is not valid.
    onBadUrl: never,
    onMaxParamLength: never,
  });
  for (const endpoint of ROUTES) router.on(endpoint.method, endpoint.path, never, endpoint);
  return router;
}

let router: ReturnType<typeof indexed> | undefined;

function found(method: string, target: string) {
  router ??= indexed();
  return router.find(method as Endpoint['method'], target);
}

/** `target`: path and query. Undefined where no endpoint has that method and path. */
export function routed(method: string, target: string): Routed | undefined {
  const { store, params } = found(method, target) ?? {};
  // A pattern that fits has a text for each of its parts.
  return store ? { endpoint: store, params: params as Routed['params'] } : undefined;
}

/** Whether an endpoint would fit, but for a part of the path that is too long, or an escape in it that is none. */
export function isBadPath(method: string, target: string): boolean {
  return found(method, target)?.store === null;
}
