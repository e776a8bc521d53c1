/** Which folders are synced on the real disk, in the order in which their handles are closed. */
import { promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';

/** Their paths, from now until the end of the test. A handle that is synced and never closed is not among them. */
export function syncedFolders(t: TestContext): string[] {
  const synced: string[] = [];
  const { open } = promises;
  t.mock.method(promises, 'open', async (...args: Parameters<typeof open>) => {
    const handle = await open(...args);
    const { sync, close } = handle;
    let isSynced = false;
    handle.sync = async () => {
      isSynced = true;
      await sync.call(handle);
    };
    handle.close = async () => {
      if (isSynced) synced.push(String(args[0]));
      await close.call(handle);
    };
    return handle;
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return synced;
}
