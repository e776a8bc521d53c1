/** What the machine gives the daemon: Node, open files, memory. Pure, but for the functions at the end that ask the machine. */
import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { Config } from '../config/settings.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

/** Open files beside those of connections: the journal, snapshots, the database, webhooks. */
const OTHER_FILES = 500;
/** Beside the heap: code, buffers of sockets, the journal. */
const BESIDE_HEAP_BYTES = 192 * 1024 * 1024;
const MEMORY_BYTES_MIN = 256 * 1024 * 1024;
const MIB = 1024 * 1024;

export interface Machine {
  /** Such as 20.19.0. */
  readonly node: string;
  /** The most files that the daemon may have open; undefined where the system does not say. */
  readonly filesMax: number | undefined;
  /** The memory that the daemon may take: of its cgroup, or of the machine. */
  readonly memoryBytes: number;
  readonly isCgroup: boolean;
  /** The size at which Node gives up, and before which it tries hard to stay below. */
  readonly heapBytes: number;
}

export function machineFindings(machine: Machine, config: Pick<Config, 'connectionsMax'>): readonly Finding[] {
  return [nodeFinding(machine), filesFinding(machine, config), memoryFinding(machine)];
}

function nodeFinding({ node }: Machine): Finding {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) return fail('node', `Node ${node}`, 'install Node 20.19 or later');
  return ok('node', `Node ${node}`);
}

function filesFinding({ filesMax }: Machine, { connectionsMax }: Pick<Config, 'connectionsMax'>): Finding {
  if (filesMax === undefined) return ok('files', 'the limit of open files is not known on this system');
  const room = Math.max(0, filesMax - OTHER_FILES);
  if (room >= connectionsMax) return ok('files', `${filesMax} open files, enough for ${connectionsMax} connections (connections_max)`);
  return warn(
    'files',
    `${filesMax} open files, enough for ${room} of the ${connectionsMax} connections that connections_max allows`,
    `raise the limit to ${connectionsMax + OTHER_FILES} (LimitNOFILE under systemd, ulimit -n in a shell), or lower connections_max`,
  );
}

function memoryFinding({ memoryBytes, heapBytes, isCgroup }: Machine): Finding {
  const has = `${mebibytes(memoryBytes)} of memory${isCgroup ? ' (limit of the cgroup)' : ''}, heap of Node up to ${mebibytes(heapBytes)}`;
  if (memoryBytes < MEMORY_BYTES_MIN) return fail('memory', has, `give it at least ${mebibytes(MEMORY_BYTES_MIN)}`);
  if (heapBytes + BESIDE_HEAP_BYTES <= memoryBytes) return ok('memory', has);
  const fits = Math.max(64, Math.floor((memoryBytes - BESIDE_HEAP_BYTES) / MIB));
  return warn(
    'memory',
    has,
    `the system may end the daemon before Node cleans up; start it with NODE_OPTIONS=--max-old-space-size=${fits}`,
  );
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}

/** Looks at the machine and the process that asks: the daemon is to be started in the same way. */
export async function thisMachine(): Promise<Machine> {
  // 0, or more than there is, where no cgroup limits it.
  const limit = process.constrainedMemory();
  const isCgroup = limit > 0 && limit < totalmem();
  return {
    node: process.versions.node,
    filesMax: filesMaxIn(await readFile('/proc/self/limits', 'utf8').catch(() => '')),
    memoryBytes: isCgroup ? limit : totalmem(),
    isCgroup,
    heapBytes: getHeapStatistics().heap_size_limit,
  };
}

/** Node raises the soft limit to the hard one when it starts. */
export function filesMaxIn(limits: string): number | undefined {
  const [, hard] = /^Max open files +\S+ +(\S+)/m.exec(limits) ?? [];
  if (hard === undefined) return undefined;
  return hard === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(hard);
}
