/** Calls into the application that must not interrupt the client. */

/** Runs `work`. An error that it throws becomes an uncaught error, and does not reach the caller. */
export function outside(work: () => void): void {
  try {
    work();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
