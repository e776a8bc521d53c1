/**
 * What asks a command to end: SIGINT, SIGTERM, and the end of the npm that started it.
 *
 * npm and npx put a shell between themselves and the command. Not every shell hands a signal on (dash ends by it and leaves its
 * child behind), so the command looks whether the process that started it is still there. And npm passes on what a terminal has
 * sent to every process already: one Ctrl-C arrives twice, and must not count as the second one, which ends at once.
 */

/** A signal that comes so soon after another one is an echo of it. A person is slower. */
export const ECHO_MS = 300;
/** How often the starter is looked for. */
export const LOOK_MS = 250;

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Id of the parent process now: another one when the first has ended. */
  parent(): number;
  /** Milliseconds of a clock that never goes back. */
  nowMs(): number;
  on(signal: 'SIGINT' | 'SIGTERM', handler: () => void): void;
  off(signal: 'SIGINT' | 'SIGTERM', handler: () => void): void;
}

const realSurroundings: Surroundings = {
  env: process.env,
  parent: () => process.ppid,
  nowMs: () => performance.now(),
  on: (signal, handler) => void process.on(signal, handler),
  off: (signal, handler) => void process.off(signal, handler),
};

/** Calls `handler` at every interrupt in place of ending the process. Returns the way to undo it. */
export function onInterrupt(handler: () => void, around: Surroundings = realSurroundings): () => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  const interrupt = (): void => {
    const isEcho = around.nowMs() - lastMs < ECHO_MS;
    lastMs = around.nowMs();
    if (!isEcho) handler();
  };
  around.on('SIGINT', interrupt);
  around.on('SIGTERM', interrupt);
  const starter = around.parent();
  const watch = isStartedByNpm(around.env)
    ? setInterval(() => {
        if (around.parent() === starter) return;
        clearInterval(watch);
        interrupt();
      }, LOOK_MS).unref()
    : undefined;
  return () => {
    clearInterval(watch);
    around.off('SIGINT', interrupt);
    around.off('SIGTERM', interrupt);
  };
}

/** By `npx rosterd …` or a script of this package, and not by a shell in them that goes on by itself (`&`). */
function isStartedByNpm({ npm_lifecycle_script: script = '' }: Surroundings['env']): boolean {
  return /^('?rosterd'?|exec node [^&]*rosterd\.js) [^&]*$/.test(script);
}
