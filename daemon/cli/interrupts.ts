/**
 * The interrupts that ask a command to end: SIGINT, SIGTERM, SIGHUP (its terminal was closed; `nohup` does not keep it from Node), and the
 * end of the npm that started it.
 *
 * npm and npx put a shell between themselves and the command. Not every shell passes signals on (dash ends and leaves its
 * child behind), so the command checks whether the process that started it still exists. And npm passes on signals that the
 * terminal has sent to every process already: one Ctrl-C arrives twice, and must not count as a second one, which ends at once.
 * Nor may the second one find the command on its way out and kill it, for then it would end by a signal and not with its code.
 */

/** A signal this soon after another one is its echo. A person is slower. */
export const ECHO_MS = 300;
/** Interval at which the parent process is checked. */
export const LOOK_MS = 250;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type Interrupt = (typeof SIGNALS)[number];

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Id of the current parent process: it changes when the parent ends. */
  parent(): number;
  /** Milliseconds of a monotonic clock. */
  nowMs(): number;
  on(signal: Interrupt, handler: (signal?: Interrupt) => void): void;
  off(signal: Interrupt, handler: (signal?: Interrupt) => void): void;
}

const realSurroundings: Surroundings = {
  env: process.env,
  parent: () => process.ppid,
  nowMs: () => performance.now(),
  on: (signal, handler) => void process.on(signal, handler),
  off: (signal, handler) => void process.off(signal, handler),
};

/**
 * Calls `handler` at every interrupt instead of ending the process, with its signal if there was one. Returns a function that undoes this: `handler` is not called
 * any more, and once the echo of the last signal can be no longer on its way, signals end the process again.
 */
export function onInterrupt(handler: (signal?: Interrupt) => void, around: Surroundings = realSurroundings): () => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  let isUndone = false;
  const interrupt = (signal?: Interrupt): void => {
    const isEcho = around.nowMs() - lastMs < ECHO_MS;
    lastMs = around.nowMs();
    if (!isEcho && !isUndone) handler(signal);
  };
  for (const signal of SIGNALS) around.on(signal, interrupt);
  const starter = around.parent();
  const watch = isStartedByNpm(around.env)
    ? setInterval(() => {
        if (around.parent() === starter) return;
        clearInterval(watch);
        interrupt();
      }, LOOK_MS).unref()
    : undefined;
  const stopListening = (): void => {
    for (const signal of SIGNALS) around.off(signal, interrupt);
  };
  return () => {
    isUndone = true;
    clearInterval(watch);
    const echoMs = lastMs + ECHO_MS - around.nowMs();
    if (echoMs > 0) setTimeout(stopListening, echoMs).unref();
    else stopListening();
  };
}

/** Started by `npx rosterd …` or a script of this package, and not by a shell in it that goes on by itself (`&`). Some versions of npx leave out what follows. */
function isStartedByNpm({ npm_lifecycle_script: script = '' }: Surroundings['env']): boolean {
  return /^('?rosterd'?|exec node [^&]*rosterd\.js)( [^&]*)?$/.test(script);
}
