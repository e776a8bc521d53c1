/** The requests that were answered, in plain numbers, for whoever watches the daemon. */
import { Durations } from '../base/durations.ts';

/** Answers with these are zero, and not absent, from the first request of an operation on: alerts compare them. */
const ALWAYS = [200, 500, 503];

export interface AnsweredOperation {
  /** By dialect, then by status. */
  readonly codes: Map<string, Map<number, number>>;
  /** Until the answer begins. */
  readonly durations: Durations;
}

export class RequestCounts {
  /** By operation: of the route table, or one of the few that stand for what is not in it. */
  readonly operations = new Map<string, AnsweredOperation>();

  answered(operation: string, dialect: string, status: number, ms: number): void {
    const known = this.operations.get(operation) ?? { codes: new Map(), durations: new Durations() };
    this.operations.set(operation, known);
    const codes = known.codes.get(dialect) ?? new Map(ALWAYS.map((code) => [code, 0]));
    known.codes.set(dialect, codes);
    codes.set(status, (codes.get(status) ?? 0) + 1);
    known.durations.observe(ms);
  }
}
