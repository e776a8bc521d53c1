/** The reason why planning ended before there was a plan. */
import { errorText } from '../../../protocol/base/errors.ts';

/** Ends the planning. */
export class Ended extends Error {
  readonly status: 'refused' | 'failed' | 'interrupted';
  readonly problems: readonly string[];

  constructor(status: Ended['status'], problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'Ended';
    this.status = status;
    this.problems = problems;
  }
}

/** Only a full disk has a remedy worth naming; other system errors give their own text. */
export function reasonOf(error: unknown): string {
  const text = errorText(error);
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC' ? `${text}; TMPDIR names a directory with more room` : text;
}
