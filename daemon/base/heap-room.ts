/**
 * Whether the memory has room for more users. Beyond the limit of its heap Node ends the process, and beyond that of the machine, or of the
 * container, the system does, and again at each start: so what is in use is looked at after each full collection, when nothing else is
 * counted. Records are outside of the heap; what they take brings such collections, too.
 *
 * It keeps HR1 and HR2 (daemon/RULES.md).
 */
import { totalmem } from 'node:os';
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import type { EdgeLogger } from './logger.ts';

/** Shares of the limit. Between two full collections at this size, Node lets the heap grow by at most half of what is left. */
const FULL = 0.85;
const ROOM = 0.8;
/** It has room before the next collection, which may be hours away, once a twentieth of the users is gone. */
const FEWER = 0.95;
const MIB = 1024 * 1024;

/** Bytes in use that are not garbage, and the most that there may be. */
export interface MemoryUse {
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/** Of the heap of Node, and of the whole process. */
export interface MemoryUses {
  readonly heap: MemoryUse;
  readonly process: MemoryUse;
}

export class HeapRoom {
  readonly #look: () => MemoryUses;
  readonly #logger: EdgeLogger;
  readonly #observer: PerformanceObserver;
  #isFull = false;
  /** Users at the first question after the last full collection; undefined: nobody has asked. */
  #users: number | undefined;

  /** `look` must be right after a full collection. Default: asks V8 and the system. */
  constructor(logger: EdgeLogger, look: () => MemoryUses = memoryUses) {
    this.#logger = logger;
    this.#look = look;
    this.#observer = new PerformanceObserver((list) => {
      if (list.getEntries().some(isFullCollection)) this.collected();
    });
  }

  start(): void {
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  stop(): void {
    this.#observer.disconnect();
  }

  /** Called after each full collection. */
  collected(): void {
    const { heap, process } = this.#look();
    const isBeyond = ({ usedBytes, limitBytes }: MemoryUse): boolean => usedBytes > limitBytes * (this.#isFull ? ROOM : FULL);
    const isHeapFull = isBeyond(heap);
    const isFull = isHeapFull || isBeyond(process);
    this.#users = undefined;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    const use = {
      ...{ heap_mib: inMib(heap.usedBytes), limit_mib: inMib(heap.limitBytes) },
      ...{ memory_mib: inMib(process.usedBytes), memory_limit_mib: inMib(process.limitBytes) },
    };
    if (!isFull) this.#logger.warn(use, 'the memory has room again, so users are added');
    else if (isHeapFull)
      this.#logger.error(use, 'the heap of Node is nearly full, so no more users are added; give it more (--max-old-space-size)');
    else this.#logger.error(use, 'the memory of the machine or container is nearly full, so no more users are added; give it more');
  }

  /** `users`: how many there are now. */
  has(users: number): boolean {
    if (!this.#isFull) return true;
    this.#users ??= users;
    return users < this.#users * FEWER;
  }
}

function isFullCollection(entry: PerformanceEntry): boolean {
  const { detail } = entry as { readonly detail?: { readonly kind?: number } };
  return detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}

function inMib(bytes: number): number {
  return Math.round(bytes / MIB);
}

function memoryUses(): MemoryUses {
  // Without a limit, Node tells 0 or a number beyond any memory.
  const limitBytes = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
  return { heap: heapUse(), process: { usedBytes: process.memoryUsage.rss(), limitBytes } };
}

/** Of the old generation: the young one has its own room, which the limit that V8 tells includes. */
function heapUse(): MemoryUse {
  let usedBytes = 0;
  for (const { space_name, space_used_size } of getHeapSpaceStatistics()) if (!space_name.startsWith('new_')) usedBytes += space_used_size;
  return { usedBytes, limitBytes: getHeapStatistics().heap_size_limit - 3 * semiSpaceBytes() };
}

/** The most that one of the three parts of the young generation takes, as Node was told; V8 itself does not say it. */
function semiSpaceBytes(): number {
  const flags = `${process.env.NODE_OPTIONS ?? ''} ${process.execArgv.join(' ')}`;
  const [last] = [...flags.matchAll(/--max[-_]semi[-_]space[-_]size[= ](\d+)/g)].slice(-1);
  return Number(last?.[1] ?? 16) * MIB;
}
