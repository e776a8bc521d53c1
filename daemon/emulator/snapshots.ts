/**
 * Named snapshots of an application in memory: its users, settings, documents and files. They outlive a reset.
 *
 * It keeps EM8 (README.md).
 */
import { RosterError } from '../../protocol/base/errors.ts';
import type { MemoryBlobs } from '../../store/memory/blobs.ts';
import { MemorySnapshots } from '../../store/snapshot/memory.ts';
import type { LoadedSnapshot } from '../../store/snapshot.ts';
import type { FrozenView } from '../core/directory/frozen-view.ts';

export const SNAPSHOTS_MAX = 50;
/** Of all snapshots of an application together. */
export const SNAPSHOT_BYTES_MAX = 256 * 1024 * 1024;

export interface NamedSnapshot {
  readonly name: string;
  readonly users: number;
  readonly bytes: number;
  readonly loaded: LoadedSnapshot;
  readonly blobs: MemoryBlobs;
}

/** The directory as it is in the view, which is released; it can be read any number of times. */
export async function snapshotOf(view: FrozenView): Promise<{ readonly loaded: LoadedSnapshot; readonly bytes: number }> {
  const saved = new MemorySnapshots();
  try {
    const { bytes } = await saved.save({ position: view.position, lines: () => view.lines() });
    const loaded = await saved.load();
    if (loaded === undefined) throw new Error('a snapshot that was just saved cannot be loaded');
    return { loaded, bytes };
  } finally {
    view.release();
  }
}

export class Snapshots {
  readonly #snapshots = new Map<string, NamedSnapshot>();

  get all(): readonly NamedSnapshot[] {
    return [...this.#snapshots.values()];
  }

  /** Replaces the one of this name. Throws RosterError `too_big` or `conflict` when there is no room; then that one stays. */
  save(snapshot: NamedSnapshot): void {
    const others = this.all.filter(({ name }) => name !== snapshot.name);
    if (others.length >= SNAPSHOTS_MAX)
      throw new RosterError('conflict', `there are ${SNAPSHOTS_MAX} snapshots, and there can be no more: DELETE one first`);
    const bytes = others.reduce((sum, other) => sum + other.bytes, snapshot.bytes);
    if (bytes > SNAPSHOT_BYTES_MAX)
      throw new RosterError(
        'too_big',
        `the snapshots would be ${bytes} bytes, and can be ${SNAPSHOT_BYTES_MAX} together: DELETE one first`,
      );
    this.#snapshots.set(snapshot.name, snapshot);
  }

  /** Throws RosterError `not_found`, which names those that there are. */
  find(name: string): NamedSnapshot {
    const found = this.#snapshots.get(name);
    if (found !== undefined) return found;
    const names = [...this.#snapshots.keys()];
    throw new RosterError(
      'not_found',
      `there is no snapshot "${name}"; ${names.length === 0 ? 'there are none: POST /emulator/snapshots/{name} makes one' : `there are ${names.join(', ')}`}`,
    );
  }

  /** Throws as `find`. */
  remove(name: string): void {
    this.find(name);
    this.#snapshots.delete(name);
  }
}
