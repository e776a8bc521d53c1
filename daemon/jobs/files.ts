/** Files beside the directory: finished exports and uploads for imports, below the data directory. */
import type { Readable } from 'node:stream';

export class Files {
  static async open(_dataDirectory: string): Promise<Files> {
    return new Files();
  }

  async saveUpload(_path: string, _source: Readable, _bytesMax: number): Promise<{ readonly bytes: number }> {
    return { bytes: 0 };
  }

  async hasUpload(_path: string): Promise<boolean> {
    return false;
  }

  async openExport(_taskId: string, _name: string): Promise<{ readonly stream: Readable; readonly bytes: number } | undefined> {
    return undefined;
  }
}
