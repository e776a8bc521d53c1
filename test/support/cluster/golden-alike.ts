/**
 * How answers of several nodes differ from those of one daemon, and why. The nodes share out their jobs, so their log begins with the lease of each
 * job: all positions and revisions are larger by that, and a backup holds the leases, too. Nothing else may differ.
 */
import type { GoldenAnswer, GoldenStep } from '../http/golden.ts';

/** Of tasks, of the history of users, of webhooks. */
export const LEASES = 3;

/** Revisions by the id of their user. */
const REVISIONS = 'revs';
const POSITIONS: ReadonlySet<string> = new Set(['seq', 'rev', 'copy_rev', 'position', 'next']);
/** Of ids and revisions, behind how many there are. */
const DIGEST = /\b\d+-[0-9a-f]{16}\b/g;
/** What a backup says about itself. Its own content digest does not count leases or revisions, and is compared. */
const OF_BACKUPS: ReadonlySet<string> = new Set(['bytes', 'revisions', 'entries']);
const COUNTS: ReadonlySet<string> = new Set(['lines', 'documents']);

/** What a client sends that read its positions and revisions from these nodes. */
export function laterStep({ request, ...step }: GoldenStep, leases: number): GoldenStep {
  const { query, body } = request;
  const since = query?.since;
  const revs = Object(body)[REVISIONS];
  return {
    ...step,
    request: {
      ...request,
      ...(typeof since === 'number' ? { query: { ...query, since: since + leases } } : undefined),
      ...(revs === undefined
        ? undefined
        : {
            body: { ...Object(body), [REVISIONS]: Object.fromEntries(Object.entries(revs).map(([id, rev]) => [id, Number(rev) + leases])) },
          }),
    },
  };
}

/** The answer as it would be if `leases` entries had not come first. */
export function withoutLeases({ headers, body, text, ...answer }: GoldenAnswer, leases: number): GoldenAnswer {
  const strip = new Strip(leases);
  return {
    ...answer,
    ...(headers === undefined
      ? undefined
      : { headers: Object.fromEntries(Object.entries(headers).map(([name, one]) => [name, strip.text(one)])) }),
    ...(body === undefined ? undefined : { body: strip.value(body) }),
    ...(text === undefined ? undefined : { text: strip.lines(text) }),
  };
}

class Strip {
  readonly #leases: number;

  constructor(leases: number) {
    this.#leases = leases;
  }

  /** Revisions in errors, and as a tag. */
  text(text: string): string {
    return text
      .replaceAll(DIGEST, '<digest>')
      .replaceAll(/(revision |, not |^")(\d+)/g, (_, before: string, seq: string) => before + this.#earlier(Number(seq)));
  }

  lines(text: string): string {
    const lines = text.split('\n').filter((line) => !line.startsWith('{"doc":{"kind":"lease"'));
    return lines.map((line) => (line.startsWith('{') ? JSON.stringify(this.value(JSON.parse(line))) : line)).join('\n');
  }

  value(value: unknown, key = ''): unknown {
    if (OF_BACKUPS.has(key)) return `<${key}>`;
    if (typeof value === 'number') return POSITIONS.has(key) || COUNTS.has(key) ? this.#earlier(value) : value;
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.value(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, this.value(item, key === REVISIONS ? 'rev' : name)]));
  }

  /** 0 stands for nothing, everywhere. */
  #earlier(seq: number): number {
    return Math.max(0, seq - this.#leases);
  }
}
