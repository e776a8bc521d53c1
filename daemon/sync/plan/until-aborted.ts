/** Reads a source that may be silent for hours, and still reacts to Ctrl-C. */

/** The items of `source` until its end or until `signal` aborts, whichever is first; the source is then released. */
export async function* untilAborted<Item>(source: AsyncIterable<Item>, signal: AbortSignal): AsyncGenerator<Item> {
  const items = source[Symbol.asyncIterator]();
  let isDone = false;
  try {
    while (!signal.aborted) {
      const step = await nextOrAborted(items, signal);
      if (step === undefined) return;
      if (step.done === true) {
        isDone = true;
        return;
      }
      yield step.value;
    }
  } finally {
    // Not awaited: a silent source may never answer.
    if (!isDone) items.return?.()?.catch(() => {});
  }
}

async function nextOrAborted<Item>(items: AsyncIterator<Item>, signal: AbortSignal): Promise<IteratorResult<Item> | undefined> {
  return await new Promise((resolve, reject) => {
    const onAbort = () => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    items
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}
