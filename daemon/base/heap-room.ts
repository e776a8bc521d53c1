/**
 * Whether the heap of Node has room for more users. Beyond its limit Node ends the process, and does so again at each start: so what is in
 * use is looked at after each full collection, when nothing else is counted.
 *
 * It keeps HR1 and HR2 (daemon/RULES.md).
 */
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
export interface HeapUse {
  readonly usedBytes: number;
  readonly limitBytes: number;
}

export class HeapRoom {
  readonly #look: () => HeapUse;
  readonly #logger: EdgeLogger;
  readonly #observer: PerformanceObserver;
  #isFull = false;
  /** Users at the first question after the last full collection; undefined: nobody has asked. */
  #users: number | undefined;

  /** `look` must be right after a full collection. Default: asks V8. */
  constructor(logger: EdgeLogger, look: () => HeapUse = heapUse) {
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
    const { usedBytes, limitBytes } = this.#look();
    const isFull = usedBytes > limitBytes * (this.#isFull ? ROOM : FULL);
    this.#users = undefined;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    const use = { heap_mib: Math.round(usedBytes / MIB), limit_mib: Math.round(limitBytes / MIB) };
    if (isFull) this.#logger.error(use, 'the heap of Node is nearly full, so no more users are added; give it more (--max-old-space-size)');
    else this.#logger.warn(use, 'the heap of Node has room again, so users are added');
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

/** Of the old generation: the young one has its own room, which the limit that V8 tells includes. */
function heapUse(): HeapUse {
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
