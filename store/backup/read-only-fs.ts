/**
 * A file system that changes nothing: reads come from the file system below, and writes are discarded. The daemon's own
 * code can open and check a data directory on it, and every byte stays the same.
 */
import { hasCode } from '../disk-errors.ts';
import type { FileSystem, OpenFile } from '../file-system.ts';
import { nodeFileSystem } from '../node-file-system.ts';

/** A newly created file: writes succeed without effect, and nothing can be read. */
function sink(): OpenFile {
  return {
    read: async () => 0,
    write: async (_point, _buffer, _offset, length) => length,
    truncate: async () => {},
    datasync: async () => {},
    size: async () => 0,
    close: async () => {},
  };
}

/** A missing directory counts as empty, since the store would create it. */
export function readOnly(below: FileSystem = nodeFileSystem): FileSystem {
  return {
    makeDirectory: async () => {},
    list: async (path) => {
      try {
        return await below.list(path);
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return [];
        throw error;
      }
    },
    // What is created here is nowhere.
    isThere: async () => true,
    openRead: (path) => below.openRead(path),
    async openWrite(path) {
      const file = await below.openRead(path);
      return {
        ...sink(),
        read: (buffer, offset, length, position) => file.read(buffer, offset, length, position),
        size: () => file.size(),
        close: () => file.close(),
      };
    },
    create: async () => sink(),
    rename: async () => {},
    remove: async () => {},
    syncDirectory: async () => {},
  };
}
