/**
 * The disk as a file system that changes nothing: what is read comes from below, what is written goes nowhere. Opened on it, a
 * data directory is judged and read by the very code of the daemon, and stays as it is to the last byte.
 */
import { type FileSystem, hasCode, nodeFileSystem, type OpenFile } from '../file-system.ts';

/** A file that was created on it: whatever is written counts as written, and nothing can be read. */
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

/** A directory that is not there counts as empty: the store would make it. */
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
