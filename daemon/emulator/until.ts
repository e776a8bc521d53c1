/** Waits for something that a request asked for, as long as the request allows. */

/** `watch` calls its listener when it may have happened, until the signal aborts. */
export type Watch = (listener: () => void, signal: AbortSignal) => void;

/** Resolves as soon as `holds`, after `ms` (milliseconds), or when `gone` aborts. */
export async function until(holds: () => boolean, watch: Watch, ms: number, gone: AbortSignal): Promise<void> {
  if (ms === 0 || gone.aborted || holds()) return;
  const over = new AbortController();
  await new Promise<void>((resolve) => {
    const end = (): void => resolve();
    const timer = setTimeout(end, ms);
    over.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    gone.addEventListener('abort', end, { once: true, signal: over.signal });
    watch(() => {
      if (holds()) end();
    }, over.signal);
  });
  over.abort();
}
