/**
 * A disk in memory that can fail, fill up and lose power.
 *
 * It knows what was synced and what was not. After `lostPower`, unsynced pages are each new, old or torn, unsynced sizes may be
 * either, and unsynced names are there or not, in any combination. After `killed` everything written is still there, but
 * what was not synced still is not: a later loss of power may take it.
 */
import type { CrashPoint, FileSystem, OpenFile } from '../../../store/file-system.ts';
import type { Random } from './random.ts';

const PAGE = 4096;
const SECTOR = 512;

/** What the plan of a test may do to an operation. */
export type Fault =
  /** The operation happens up to a random part, and then nothing ever answers again. */
  | { readonly type: 'crash' }
  | { readonly type: 'error'; readonly code: string }
  /** A write takes only so many bytes. */
  | { readonly type: 'short'; readonly bytes: number };

export type FaultPlan = (point: CrashPoint, path: string) => Fault | undefined;

interface Inode {
  data: Buffer;
  durable: Buffer;
  readonly dirty: Set<number>;
}

/** An unsynced change of names: `remove` goes, `set` comes. */
interface NameChange {
  readonly directory: string;
  readonly remove: string | undefined;
  readonly set: string | undefined;
  readonly inode: Inode;
}

function newInode(content: Buffer): Inode {
  return { data: Buffer.from(content), durable: Buffer.from(content), dirty: new Set() };
}

function errno(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, '${path}'`), { code });
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

export class SimDisk implements FileSystem {
  readonly #random: Random;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #changes: NameChange[] = [];
  #dead = false;
  plan: FaultPlan = () => undefined;
  /** How often each point was passed. */
  readonly passed = new Map<CrashPoint, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** A disk that durably holds these files. */
  static holding(files: ReadonlyMap<string, Buffer>, random: Random): SimDisk {
    const disk = new SimDisk(random);
    for (const [path, content] of files) {
      const inode = newInode(content);
      disk.#names.set(path, inode);
      disk.#durableNames.set(path, inode);
    }
    return disk;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** The files as the running process sees them. */
  files(): Map<string, Buffer> {
    return new Map([...this.#names].map(([path, inode]) => [path, Buffer.from(inode.data)]));
  }

  /** Changes a byte of a file in place, durably, as a failing disk does. */
  flip(path: string, offset: number, mask: number): void {
    const inode = this.#names.get(path);
    if (inode === undefined) throw errno('ENOENT', path);
    inode.data[offset] = (inode.data[offset] ?? 0) ^ mask;
    inode.durable[offset] = inode.data[offset] ?? 0;
  }

  /** The disk after the process was killed: all is there, nothing more is synced. */
  killed(): SimDisk {
    const disk = new SimDisk(this.#random);
    const copies = new Map<Inode, Inode>();
    const copy = (inode: Inode): Inode => {
      const known = copies.get(inode);
      if (known !== undefined) return known;
      const made = { data: Buffer.from(inode.data), durable: Buffer.from(inode.durable), dirty: new Set(inode.dirty) };
      copies.set(inode, made);
      return made;
    };
    for (const [path, inode] of this.#names) disk.#names.set(path, copy(inode));
    for (const [path, inode] of this.#durableNames) disk.#durableNames.set(path, copy(inode));
    disk.#changes = this.#changes.map((change) => ({ ...change, inode: copy(change.inode) }));
    return disk;
  }

  /** The disk after a loss of power. */
  lostPower(): SimDisk {
    const names = new Map(this.#durableNames);
    for (const change of this.#changes) {
      if (!this.#random.chance(0.5)) continue;
      if (change.remove !== undefined) names.delete(change.remove);
      if (change.set !== undefined) names.set(change.set, change.inode);
    }
    const files = new Map([...names].map(([path, inode]) => [path, this.#survivor(inode)]));
    return SimDisk.holding(files, this.#random);
  }

  #survivor(inode: Inode): Buffer {
    const shorter = Math.min(inode.data.length, inode.durable.length);
    const longer = Math.max(inode.data.length, inode.durable.length);
    const random = this.#random;
    const size = random.chance(0.3)
      ? shorter + random.below(longer - shorter + 1)
      : random.chance(0.5)
        ? inode.data.length
        : inode.durable.length;
    const content = Buffer.alloc(size);
    inode.durable.copy(content, 0, 0, size);
    for (const page of inode.dirty) {
      const fate = random.below(3);
      if (fate === 0) continue;
      for (let at = page * PAGE; at < (page + 1) * PAGE && at < size; at += SECTOR) {
        if (fate === 1 || random.chance(0.5)) inode.data.copy(content, at, at, Math.min(at + SECTOR, size));
      }
    }
    return content;
  }

  async makeDirectory(): Promise<void> {
    await this.#alive();
  }

  async list(path: string): Promise<string[]> {
    await this.#alive();
    return [...this.#names.keys()].filter((name) => directoryOf(name) === path).map((name) => name.slice(path.length + 1));
  }

  async isThere(path: string): Promise<boolean> {
    return this.#names.has(path);
  }

  async openRead(path: string): Promise<OpenFile> {
    await this.#alive();
    const inode = this.#names.get(path);
    if (inode === undefined) throw errno('ENOENT', path);
    return this.#open(path, inode);
  }

  openWrite(path: string): Promise<OpenFile> {
    return this.openRead(path);
  }

  async create(point: CrashPoint, path: string): Promise<OpenFile> {
    const inode = newInode(Buffer.alloc(0));
    await this.#change(point, path, () => this.#rename({ directory: directoryOf(path), remove: undefined, set: path, inode }));
    return this.#open(path, inode);
  }

  async rename(point: CrashPoint, from: string, to: string): Promise<void> {
    const inode = this.#names.get(from);
    if (inode === undefined) throw errno('ENOENT', from);
    await this.#change(point, from, () => this.#rename({ directory: directoryOf(to), remove: from, set: to, inode }));
  }

  async remove(point: CrashPoint, path: string): Promise<void> {
    const inode = this.#names.get(path);
    if (inode === undefined) throw errno('ENOENT', path);
    await this.#change(point, path, () => this.#rename({ directory: directoryOf(path), remove: path, set: undefined, inode }));
  }

  async syncDirectory(point: CrashPoint, path: string): Promise<void> {
    await this.#change(point, path, () => {
      for (const change of this.#changes) {
        if (change.directory !== path) continue;
        if (change.remove !== undefined) this.#durableNames.delete(change.remove);
        if (change.set !== undefined) this.#durableNames.set(change.set, change.inode);
      }
      this.#changes = this.#changes.filter((change) => change.directory !== path);
    });
  }

  #rename(change: NameChange): void {
    if (change.remove !== undefined) this.#names.delete(change.remove);
    if (change.set !== undefined) this.#names.set(change.set, change.inode);
    this.#changes.push(change);
  }

  #open(path: string, inode: Inode): OpenFile {
    return {
      read: async (buffer, offset, length, position) => {
        await this.#alive();
        return inode.data.copy(buffer, offset, position, Math.min(position + length, inode.data.length));
      },
      write: (point, buffer, offset, length, position) =>
        this.#write(point, path, inode, buffer.subarray(offset, offset + length), position),
      truncate: (point, length) => this.#change(point, path, () => truncate(inode, length)),
      datasync: (point) => this.#change(point, path, () => sync(inode)),
      size: async () => {
        await this.#alive();
        return inode.data.length;
      },
      close: () => this.#alive(),
    };
  }

  async #write(point: CrashPoint, path: string, inode: Inode, bytes: Uint8Array, position: number): Promise<number> {
    await this.#alive();
    const fault = this.#fault(point, path);
    if (fault?.type === 'error') {
      // An error may come after a part was written.
      put(inode, bytes.subarray(0, this.#random.below(bytes.length + 1)), position);
      throw errno(fault.code, path);
    }
    const part =
      fault?.type === 'crash'
        ? this.#random.below(bytes.length + 1)
        : fault?.type === 'short'
          ? Math.min(fault.bytes, bytes.length)
          : bytes.length;
    put(inode, bytes.subarray(0, part), position);
    if (fault?.type === 'crash') await this.#die();
    return part;
  }

  async #change(point: CrashPoint, path: string, apply: () => void): Promise<void> {
    await this.#alive();
    const fault = this.#fault(point, path);
    if (fault?.type === 'error') throw errno(fault.code, path);
    if (fault?.type === 'crash') {
      if (this.#random.chance(0.5)) apply();
      await this.#die();
    }
    apply();
  }

  #fault(point: CrashPoint, path: string): Fault | undefined {
    this.passed.set(point, (this.passed.get(point) ?? 0) + 1);
    return this.plan(point, path);
  }

  #die(): Promise<never> {
    this.#dead = true;
    return new Promise(() => {});
  }

  /** Every operation takes at least one turn of the event loop, as on a real disk. */
  async #alive(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#dead) await new Promise<never>(() => {});
  }
}

function put(inode: Inode, bytes: Uint8Array, position: number): void {
  const end = position + bytes.length;
  if (end > inode.data.length) {
    const longer = Buffer.alloc(end);
    inode.data.copy(longer);
    inode.data = longer;
  }
  inode.data.set(bytes, position);
  for (let page = Math.floor(position / PAGE); page * PAGE < end; page++) inode.dirty.add(page);
}

function truncate(inode: Inode, length: number): void {
  const content = Buffer.alloc(length);
  inode.data.copy(content, 0, 0, Math.min(length, inode.data.length));
  inode.data = content;
}

function sync(inode: Inode): void {
  inode.durable = Buffer.from(inode.data);
  inode.dirty.clear();
}
