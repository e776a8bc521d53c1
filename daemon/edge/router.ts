/**
 * Which endpoint a request is for. The table of the endpoints is the same for every server of a process, so it is searched by one index of
 * them all: indexing it for each server would take longer than all the rest of its start.
 */
import newRouter from 'find-my-way';
import { type Endpoint, METHODS, type Routed } from './http/endpoint.ts';
import { ROUTES } from './routes.ts';

/** Longer than any id, even when every byte of it is escaped. */
const PARAM_CHARS_MAX = 4_096;

/** Of paths: `/users/` and `//users` are `/users`. */
export const PATH_RULES = { ignoreDuplicateSlashes: true, ignoreTrailingSlash: true } as const;

/** A part of the path is too long, or an escape in it is none. */
export const BAD_PATH = Symbol('bad path');

const never = (): never => {
  throw new Error('it is only asked which endpoint it is');
};

function indexed() {
  const router = newRouter({
    ...PATH_RULES,
    maxParamLength: PARAM_CHARS_MAX,
    querystringParser: () => undefined,
    // `find` answers with these in place of an endpoint.
    onBadUrl: never,
    onMaxParamLength: never,
  });
  for (const endpoint of ROUTES) router.on(endpoint.method, endpoint.path, never, endpoint);
  return router;
}

let router: ReturnType<typeof indexed> | undefined;

/** `target`: path and query. Undefined where no endpoint has that method and path. */
export function routed(method: string, target: string): Routed | typeof BAD_PATH | undefined {
  router ??= indexed();
  const found = router.find(method as Endpoint['method'], target);
  if (found === null) return undefined;
  // A pattern that fits has a text for each of its parts.
  return found.store === null ? BAD_PATH : { endpoint: found.store, params: found.params as Routed['params'] };
}

/** The methods with which there are endpoints at a path. */
export function methodsAt(target: string, isServed: (endpoint: Endpoint) => boolean): string[] {
  return METHODS.filter((method) => {
    const found = routed(method, target);
    return found !== undefined && found !== BAD_PATH && isServed(found.endpoint);
  });
}
