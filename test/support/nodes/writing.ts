/** Writers that go on over the death of nodes. */
import assert from 'node:assert/strict';
import type { RosterClient } from '../../../protocol/client/roster-client.ts';

/** Writes one user after the other. A refused write is made again: the second time it changes nothing. */
export async function writeAll(client: RosterClient, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    for (;;) {
      const error = await client.upsertUser({ id, name: id }).catch((thrown: unknown) => thrown as { retry?: unknown });
      if (!('retry' in error)) break;
      assert.equal(error.retry, 'later');
    }
  }
}
