/** Reads the copy of users that a command is given: line by line where it is JSON Lines, as a whole otherwise. */
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseObject } from '../../../protocol/base/json.ts';
import { type CopyReader, readCopyText, takeLine } from '../../../protocol/users/comparing/copy-reader.ts';
import type { CommandIo } from '../io.ts';

/** A text that is not in lines is held as a whole, characters. */
const WHOLE_CHARS_MAX = 256 * 1024 * 1024;

/** Gives every user to `reader`. `path`: `-` for stdin. Rejects with Error that names the place, or with that of the file. */
export async function readCopyFile(path: string, reader: CopyReader, { stdin, cwd }: Pick<CommandIo, 'stdin' | 'cwd'>): Promise<void> {
  const input = path === '-' ? stdin : createReadStream(resolve(cwd, path), 'utf8');
  const failed = new Promise<never>((_, reject) => input.once('error', reject));
  failed.catch(() => {});
  await Promise.race([failed, readInput(createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }), reader)]);
}

async function readInput(lines: AsyncIterable<string>, reader: CopyReader): Promise<void> {
  let number = 0;
  let chars = 0;
  /** The text so far, where its first line is no object of its own. */
  let whole: string[] | undefined;
  for await (const read of lines) {
    const line = number++ === 0 ? read.replace(/^\uFEFF/, '') : read;
    if (whole === undefined && chars === 0 && line.trim() !== '' && isPart(line)) whole = [];
    chars += line.length;
    if (whole === undefined) takeLine(line, number, reader);
    else if (chars > WHOLE_CHARS_MAX) throw new Error('the copy is too long for a single JSON value: write one user per line');
    else whole.push(line);
  }
  if (whole !== undefined) readCopyText(whole.join('\n'), reader);
  else if (chars === 0) throw new Error('the copy is empty');
}

/** A user without an id is an object of users, or an answer that holds them. */
function isPart(line: string): boolean {
  const object = parseObject(line);
  return object === undefined || !(typeof object.id === 'string' || typeof object.epoch === 'string' || object.end === true);
}
