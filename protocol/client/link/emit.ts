/** Calls into the application that must not interrupt the client. */

/** Runs `work`. What it throws stays visible, as an uncaught error of its own, but goes no further up from here. */
export function outside(work: () => void): void {
  try {
    work();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
