/** A line of `rosterd doctor`: what was looked at, what was found, and what to do about it. */

export type Verdict = 'ok' | 'warn' | 'fail';

export interface Finding {
  /** One word. */
  readonly check: string;
  readonly health: Verdict;
  readonly found: string;
  /** Absent when there is nothing to do. */
  readonly advice?: string;
}

export const ok = (check: string, found: string): Finding => ({ check, health: 'ok', found });
export const warn = (check: string, found: string, advice: string): Finding => ({ check, health: 'warn', found, advice });
export const fail = (check: string, found: string, advice: string): Finding => ({ check, health: 'fail', found, advice });

/** One line each, with aligned columns. */
export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.map(
    ({ check, health, found, advice }) =>
      `${health.padEnd(4)}  ${check.padEnd(width)}  ${found}${advice === undefined ? '' : `: ${advice}`}\n`,
  );
  return lines.join('');
}

/** `{"ok": …, "checks": [{"check", "health", "found", "advice"?}]}`. */
export function findingsJson(findings: readonly Finding[]): string {
  return `${JSON.stringify({ ok: isWell(findings), checks: findings })}\n`;
}

/** Whether nothing failed. Warnings are not failures. */
export function isWell(findings: readonly Finding[]): boolean {
  return findings.every(({ health }) => health !== 'fail');
}
