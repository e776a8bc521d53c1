/** The form of the resume tool as a call. Pure. */
import { positionOf } from '../../../protocol/base/position-text.ts';
import { size } from '../parts/amounts.ts';
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';

export const INTERESTS = ['all', 'ids', 'teams', 'filter'] as const;
type AskedInterest = (typeof INTERESTS)[number];

export interface ResumeForm {
  /** `epoch:seq`. */
  readonly position: string;
  /** Whose client resumes; empty: a server. */
  readonly user: string;
  readonly interest: AskedInterest;
  /** Ids or teams with commas, or a filter in JSON. */
  readonly text: string;
  readonly presence: boolean;
  readonly conflate: boolean;
}

/** Throws Error that says what is wrong with the form. */
export function resumeCall({ position, user, interest, text, presence, conflate }: ResumeForm): ApiCall {
  const resume = positionOf(position.trim());
  if (resume === undefined) throw new Error('The position must be an epoch, a colon and a number, as a client keeps it: 3b1c5f…:1042.');
  const sub = { sub: 'asked', ...interestOf(interest, text), ...(presence ? { presence } : undefined) };
  const as = user.trim() === '' ? undefined : { user_id: user.trim() };
  return { method: 'POST', path: '/api/v2/debug/resume', body: { resume, subs: [sub], ...(conflate ? { conflate } : undefined), ...as } };
}

function interestOf(interest: AskedInterest, text: string): JsonRecord {
  switch (interest) {
    case 'all':
      return { all: true };
    case 'ids':
    case 'teams': {
      const names = text.split(/[\s,]+/).filter((name) => name !== '');
      if (names.length === 0) throw new Error(interest === 'ids' ? 'Give at least one id.' : 'Give at least one team.');
      return { [interest]: names };
    }
    case 'filter':
      return { filter: parsedFilter(text) };
  }
}

function parsedFilter(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('The filter must be JSON, such as {"role": "admin"}.');
  }
}

/** A span of time in the unit that one would say. */
export function hoursText(hours: number): string {
  if (hours < 1 / 60) return `${Math.round(hours * 3_600)} seconds`;
  if (hours < 1) return `${Math.round(hours * 60)} minutes`;
  return hours < 72 ? `${hours.toFixed(1)} hours` : `${(hours / 24).toFixed(1)} days`;
}

/** A value of a setting of retention, by its key. */
export function settingText(key: string, value: number): string {
  if (key === 'retention_bytes') return size(value);
  return key === 'retention_age_h' ? `${value.toLocaleString('en')} hours` : `${value.toLocaleString('en')} changes`;
}
