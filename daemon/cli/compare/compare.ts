/** `rosterd compare`: asks the daemon, and prints how a copy differs. It keeps CY4–CY6 (daemon/RULES.md). */
import type { Position } from '../../../protocol/base/position.ts';
import { positionText } from '../../../protocol/base/position-text.ts';
import {
  CopyCheck,
  type CopyDifference,
  type CopyQuestions,
  type CopyVerdict,
  type HeldCopy,
} from '../../../protocol/users/comparing/copy-check.ts';
import { grouped } from '../../base/grouped.ts';
import { readLines } from '../../sync/line-reader.ts';
import type { AskRequest, SyncServer } from '../../sync/transport.ts';
import { type CommandIo, EXIT } from '../io.ts';

/** Fields shown of one difference, and characters of one value. */
const FIELDS_SHOWN = 10;
const VALUE_CHARS = 80;
const LINE_BYTES = 4 * 1024;

export interface CompareOptions {
  readonly isJson: boolean;
  /** Differences that are printed; all are counted. */
  readonly show: number;
}

export function questionsTo(server: SyncServer, signal: AbortSignal): CopyQuestions {
  const ask = async (request: AskRequest): Promise<Readonly<Record<string, unknown>>> => {
    const { status, body, text } = await server.ask(request, signal);
    if (status >= 400 || body === undefined)
      throw new Error(`the daemon answers ${status}: ${String(body?.message ?? text.slice(0, 400))}`);
    return body;
  };
  return {
    get: (path) => ask({ method: 'GET', ...target(path) }),
    post: (path, body) => ask({ method: 'POST', path, body: JSON.stringify(body) }),
    lines: async function* (path) {
      const { status, chunks } = await server.stream({ method: 'GET', ...target(path) }, signal);
      if (status !== 200) throw new Error(`the daemon answers GET /sync/users with ${status}`);
      for await (const lines of readLines(chunks, LINE_BYTES))
        for (const { content } of lines) if (content !== undefined) yield content.toString('utf8');
    },
  };
}

function target(text: string): Pick<AskRequest, 'path' | 'query'> {
  const { pathname, searchParams } = new URL(text, 'http://daemon');
  return { path: pathname, query: Object.fromEntries(searchParams) };
}

/** Prints each difference, then the verdict. Resolves with the exit code. Rejects with Error, TransportError. */
export async function compareCopy(
  copy: HeldCopy,
  questions: CopyQuestions,
  { isJson, show }: CompareOptions,
  io: CommandIo,
): Promise<number> {
  let found = 0;
  const verdict = await new CopyCheck(copy, questions, (difference) => {
    if (++found > show) return;
    io.stdout.write(isJson ? `${JSON.stringify(difference)}\n` : `${differenceText(difference)}\n`);
  }).run();
  if (found > show) io.stderr.write(`rosterd: ${grouped(found - show)} more differences; --show ${found} prints all\n`);
  io.stdout.write(isJson ? `${JSON.stringify({ equal: verdict.isEqual, ...verdictFields(verdict) })}\n` : verdictText(verdict));
  return verdict.isEqual ? EXIT.ok : EXIT.failed;
}

/** Compares no more than a digest. */
export async function compareDigest(
  digest: string,
  { team, position, isJson }: { readonly team: string | undefined; readonly position: Position | undefined; readonly isJson: boolean },
  { get }: CopyQuestions,
  io: CommandIo,
): Promise<number> {
  const query = new URLSearchParams({
    ...(team === undefined ? {} : { team }),
    ...(position === undefined ? {} : { since: String(position.seq) }),
  });
  const { epoch, seq, digest: here, changed } = await get(`/api/v2/sync/digests?${query}`);
  const isEqual = here === digest;
  if (isJson) io.stdout.write(`${JSON.stringify({ equal: isEqual, epoch, seq, digest: here, copy_digest: digest, changed })}\n`);
  else
    io.stdout.write(
      `${isEqual ? 'equal' : 'different'}      directory ${String(here)} at ${String(epoch)}:${String(seq)}, copy ${digest}\n`,
    );
  if (!isEqual && typeof changed === 'number' && changed > 0) {
    io.stderr.write(
      `rosterd: ${grouped(changed)} users changed after ${position?.seq}, so the digest of then cannot be known: compare ids and revisions\n`,
    );
  }
  return isEqual ? EXIT.ok : EXIT.failed;
}

function differenceText({ id, how, rev, copy_rev, note, fields }: CopyDifference): string {
  const facts = [
    ...(rev === undefined ? [] : [`revision ${rev} in the directory`]),
    ...(copy_rev === undefined ? [] : [`${rev === undefined ? 'revision ' : ''}${copy_rev} in the copy`]),
    ...(note === undefined ? [] : [note]),
  ];
  const shown = Object.entries(fields ?? {}).slice(0, FIELDS_SHOWN);
  const lines = shown.map(([field, [here, there]]) => `    ${field}: ${valueText(here)} in the directory, ${valueText(there)} in the copy`);
  return [`${how.replace('_', ' ').padEnd(14)} ${id}${facts.length === 0 ? '' : `: ${facts.join(', ')}`}`, ...lines].join('\n');
}

function valueText(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > VALUE_CHARS ? `${text.slice(0, VALUE_CHARS)}…` : text;
}

function verdictFields({
  position,
  hereCount,
  copyCount,
  hereDigest,
  copyDigest,
  counts,
  changed,
  parts,
  partsDiffering,
}: CopyVerdict): object {
  return {
    ...{ position, users: hereCount, copy_users: copyCount, digest: hereDigest, copy_digest: copyDigest },
    ...{ differences: counts, changed, parts, parts_differing: partsDiffering },
  };
}

function verdictText({ isEqual, position, hereCount, copyCount, hereDigest, copyDigest, counts, changed }: CopyVerdict): string {
  const row = (name: string, text: string): string => `${name.padEnd(14)} ${text}\n`;
  const found = Object.entries(counts).filter(([, value]) => value > 0);
  return [
    row(
      isEqual ? 'equal' : 'different',
      isEqual ? '' : found.map(([how, value]) => `${grouped(value)} ${how.replace('_', ' ')}`).join(', '),
    ).replace(/ +\n/, '\n'),
    row('position', positionText(position)),
    row('directory', `${grouped(hereCount)} users, digest ${hereDigest}`),
    row('copy', `${grouped(copyCount)} users${copyDigest === undefined ? ', revisions not known' : `, digest ${copyDigest}`}`),
    ...(changed === 0 ? [] : [row('changed since', `${grouped(changed)} users: nothing is said about them`)]),
  ].join('');
}
