/** What to do when the daemon cannot listen at its address. */
import { errorText } from '../../../protocol/base/errors.ts';
import { isObject } from '../../../protocol/base/json.ts';

interface ListenPlace {
  readonly host: string;
  readonly port: number;
}

const ADVICE: Readonly<Record<string, (place: ListenPlace) => string>> = {
  EADDRINUSE: ({ port }) =>
    `another program listens there, perhaps another rosterd: stop it, or choose another port, such as --listen ${port + 1} (0 takes any that is free)`,
  EACCES: ({ port }) =>
    port < 1_024
      ? 'ports below 1024 need a right that this user does not have: choose a higher one with --listen and put a proxy in front, or allow it (Linux: CAP_NET_BIND_SERVICE)'
      : 'this user may not listen there: choose another port with --listen',
  EADDRNOTAVAIL: ({ host }) => `this machine has no address ${host}: choose one of its own with --listen, or 0.0.0.0 for all of them`,
  ENOTFOUND: ({ host }) => `there is no host ${host}: give an address with --listen`,
};

/** Throws the error with the address that was asked for, and advice where there is some. */
export function cannotListen(place: ListenPlace): (error: unknown) => never {
  return (error) => {
    throw new Error(problemAt(place, error), { cause: error });
  };
}

function problemAt(place: ListenPlace, error: unknown): string {
  const code = isObject(error) && typeof error.code === 'string' ? error.code : '';
  const { host, port } = place;
  const advice = ADVICE[code]?.(place) ?? errorText(error);
  return `cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}: ${code === '' ? '' : `${code}; `}${advice}`;
}
