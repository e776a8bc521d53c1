/** What to do when the daemon cannot listen at its address. */
import { errorText } from '../../../protocol/base/errors.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { address, type ListenAddress } from '../config/setting-kinds.ts';

type ListenFlag = '--listen' | '--metrics-listen';

/** Far enough from the taken one that the metrics of another rosterd, one port on, are not there either. */
const PORTS_ON = 10;
const PORT_MAX = 65_535;

const ADVICE: Readonly<Record<string, (place: ListenAddress, flag: ListenFlag) => string>> = {
  EADDRINUSE: ({ host, port }, flag) => {
    const other = address.toText({ host, port: port + PORTS_ON > PORT_MAX ? 0 : port + PORTS_ON });
    return `another program listens there, perhaps another rosterd: stop it, or choose another port, such as ${flag} ${other} (0 takes any that is free)`;
  },
  EACCES: ({ port }, flag) =>
    port < 1_024
      ? `ports below 1024 need a right that this user does not have: choose a higher one with ${flag} and put a proxy in front, or allow it (Linux: CAP_NET_BIND_SERVICE)`
      : `this user may not listen there: choose another port with ${flag}`,
  EADDRNOTAVAIL: ({ host }, flag) => `this machine has no address ${host}: choose one of its own with ${flag}, or 0.0.0.0 for all of them`,
  ENOTFOUND: ({ host }, flag) => `there is no host ${host}: give an address with ${flag}`,
};

/** Throws the error with the address that was asked for, and advice where there is some. */
export function cannotListen(place: ListenAddress, flag: ListenFlag = '--listen'): (error: unknown) => never {
  return (error) => {
    throw new Error(problemAt(place, flag, error), { cause: error });
  };
}

function problemAt(place: ListenAddress, flag: ListenFlag, error: unknown): string {
  const code = codeOf(error);
  return `cannot listen on ${address.toText(place)}: ${code === '' ? '' : `${code}; `}${listenAdvice(place, error, flag)}`;
}

/** What to do about it; where nothing is known about that, the error itself. */
export function listenAdvice(place: ListenAddress, error: unknown, flag: ListenFlag = '--listen'): string {
  return ADVICE[codeOf(error)]?.(place, flag) ?? errorText(error);
}

function codeOf(error: unknown): string {
  return isObject(error) && typeof error.code === 'string' ? error.code : '';
}
