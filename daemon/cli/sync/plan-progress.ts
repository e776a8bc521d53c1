/** The progress of planning: a bar (or lines) for reading the source, then one for comparing its users. */
import type { PlanProgress } from '../../sync/plan/plan-types.ts';
import { createProgressView, type ProgressOptions, type ProgressView } from './progress.ts';

export interface PlanProgressView {
  update(progress: PlanProgress): void;
  /** Prints a sentence above the bar. */
  talk(text: string): void;
  end(): void;
}

export function createPlanProgress(options: ProgressOptions): PlanProgressView {
  let phase: PlanProgress['phase'] = 'reading';
  let view: ProgressView = createProgressView(options);
  return {
    update: ({ phase: now, rows, errors, bytes, totalBytes }) => {
      if (now !== phase) {
        phase = now;
        view.end();
        view = createProgressView({ ...options, totalBytes });
        // Two bars need a sentence between them; lines of text do not.
        if (options.stderr.terminal !== undefined && !options.quiet) view.talk('the source is read; now comparing with the directory');
      }
      view.update({ users: rows, failed: errors, bytes });
    },
    talk: (text) => view.talk(text),
    end: () => view.end(),
  };
}
