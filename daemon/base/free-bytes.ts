import { statfs } from 'node:fs/promises';

/** Bytes of the disk under this path that an ordinary user may still fill. Rejects with the error of the system. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
