/** Errors of the disk: what they mean, and what is said of them. */

/** Whether it is only space that is missing: the same operation may succeed later. */
export function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
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
  return (error instanceof Error ? error.message : String(error)).replace(/ '.*$/s, '');
}
