/** The part of a pino logger that the edge uses. */
export interface EdgeLogger {
  debug(details: object, text: string): void;
  info(details: object, text: string): void;
  warn(details: object, text: string): void;
  error(details: object, text: string): void;
}

/** The part of it that the directory service and the jobs use. */
export type RosterLogger = Pick<EdgeLogger, 'info' | 'error'>;
