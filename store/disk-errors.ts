/** Errors of the disk: what they mean, and what is said of them. */
import { errorText } from '../protocol/base/errors.ts';
import { LogUnavailable } from './log.ts';

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Whether the error says that there is no such file, or no directory where it should be. */
export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR');
}

/** Whether it is only space that is missing: the same operation may succeed later. */
export function isNoSpace(error: unknown): boolean {
  return hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT');
}

/** The settled work; an error of the system names the file. */
export async function naming<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && !('path' in error))
      Object.assign(error, { path, message: `${error.message} '${path}'` });
    throw error;
  }
}

/** The reason of an error for callers, who need not know the files. */
export function diskReason(error: unknown): string {
  if (isNoSpace(error)) return 'no space is left on the disk';
  return errorText(error).replace(/ '.*$/s, '');
}

/** LG5: the refusal of an append of which nothing was stored, with what the disk says about it. */
export function notWritten(message: string, cause?: unknown): LogUnavailable {
  return new LogUnavailable('not-written', cause === undefined ? message : `${message}: ${diskReason(cause)}`, { cause });
}
