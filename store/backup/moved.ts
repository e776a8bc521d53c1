/** The mark in a data directory whose history goes on elsewhere: no daemon continues it there as well, under positions that mean something else. */
import { createWhole } from '../file-system.ts';
import { nodeFileSystem } from '../node-file-system.ts';

export const MOVED = 'moved';

/** Durable when it resolves. @param where for people who find the file */
export async function markMoved(directory: string, where: string): Promise<void> {
  await (await createWhole(nodeFileSystem, 'restoring', directory, MOVED, Buffer.from(`the history goes on in ${where}\n`))).close();
}
