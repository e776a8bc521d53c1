/** Runs a generator that yields often, without blocking the event loop for more than a few milliseconds at a time. */

const SLICE_MS = 5;

export async function inSlices<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const endsMs = performance.now() + SLICE_MS;
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (performance.now() < endsMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Work that is over when `step` says that there is no more to do. */
export function* repeated(step: () => boolean): Generator<void, void> {
  while (step()) yield;
}
