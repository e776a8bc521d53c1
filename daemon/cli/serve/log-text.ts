/**
 * Log lines for people: time, level, message and fields on one line, an error below it with its stack. Made from the JSON line that pino
 * writes, in the process itself.
 *
 * It keeps LO4 (daemon/RULES.md).
 */

import { isObject, parseObject } from '../../../protocol/base/json.ts';
import { shortened } from '../../../protocol/base/shortened.ts';
import type { Config } from '../config/settings.ts';
import { visible } from '../visible.ts';

const LEVELS: ReadonlyMap<unknown, string> = new Map([
  [10, 'TRACE'],
  [20, 'DEBUG'],
  [30, 'INFO'],
  [40, 'WARN'],
  [50, 'ERROR'],
  [60, 'FATAL'],
]);
/** Said elsewhere on the line, or the same on every line. */
const LEFT_OUT: ReadonlySet<string> = new Set(['level', 'time', 'pid', 'hostname', 'msg', 'err', 'v']);
const VALUE_CHARS_MAX = 2_000;
const PLAIN = /^[\p{L}\p{N}_.:/@+-]+$/u;

/** The form of the log's lines; undefined: as pino writes them. */
export function lineForm(format: Config['logFormat'], isTerminal: boolean): typeof logText | undefined {
  return format === 'text' || (format === 'auto' && isTerminal) ? logText : undefined;
}

/** `line`: one JSON object and a line feed, as pino writes it. The time is UTC. Nothing in a value can begin a line or move a cursor. */
export function logText(line: string): string {
  const entry = parseObject(line);
  if (entry === undefined) return `${visible(line.trimEnd())}\n`;
  const { level, time, msg, err } = entry;
  const when = typeof time === 'number' ? new Date(time).toISOString().replace('T', ' ').replace('Z', '') : '';
  const fields = Object.entries(entry).flatMap(([name, value]) =>
    LEFT_OUT.has(name) || (name === 'type' && value === msg) ? [] : [`${visible(name)}=${textOf(value)}`],
  );
  const head = [when, (LEVELS.get(level) ?? String(level)).padEnd(5), visible(String(msg ?? '')), ...fields];
  return `${head.filter((part) => part !== '').join('  ')}\n${isObject(err) ? errorLines(err) : ''}`;
}

function textOf(value: unknown): string {
  const text = typeof value === 'string' && PLAIN.test(value) ? value : visible(JSON.stringify(value));
  return shortened(text, VALUE_CHARS_MAX);
}

/** The stack begins with the name and the message of the error. */
function errorLines({ type, message, stack }: Record<string, unknown>): string {
  const text = typeof stack === 'string' && stack !== '' ? stack : `${String(type)}: ${String(message)}`;
  return text
    .split('\n')
    .map((part) => `    ${visible(part.trim())}\n`)
    .join('');
}
