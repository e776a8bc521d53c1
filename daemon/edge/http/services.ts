/** Services that handlers can use beside the directory. */
import type { Readable } from 'node:stream';
import type { Position } from '../../../protocol/base/position.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import type { HookTrial, HookTrialResult } from '../../../protocol/hooks/check.ts';
import type { DeadLetter, HookStatus, LetterPage, LetterWithBody, ReplayRequest } from '../../../protocol/hooks/dead-letters.ts';
import type { RehearseAnswer, RehearseBody } from '../../../protocol/live/rehearsal.ts';
import type { HistoryItem } from '../../../protocol/users/history.ts';
import type { RequestWrites } from './backend.ts';

/** Why a live connection received an event, or did not. */
export interface Why {
  readonly event: { readonly seq: number; readonly type: string; readonly user_id: string | null; readonly audience: string };
  readonly connection: { readonly connection_id: string; readonly user_id: string | null };
  readonly subscriptions: readonly { readonly sub: string; readonly want: string; readonly result: string }[];
}

/** A live connection of a user. */
export interface UserConnection {
  readonly connection: string;
  /** When it was opened, in milliseconds of its node's clock. */
  readonly sinceMs: number;
}

/** The backups of one node since its start. */
export interface BackupState {
  /** Those that are being read. */
  readonly running: number;
  /** The last one that was read to its end: when, in milliseconds of its node's clock, and the size of the file. */
  readonly last?: { readonly endedMs: number; readonly bytes: number } | undefined;
}

/** The live connections and what only single nodes know, as far as requests use them. */
export interface LiveControl {
  /**
   * Makes a live connection of the caller watch these users, on whatever node it is. Throws or rejects with RosterError `input` for one that is
   * not open, or whose node does not answer within 2 s.
   */
  watch(connectionId: string, caller: Caller, ids: readonly string[]): Promise<void> | undefined;
  /** Rejects with RosterError: `input` for a connection that is not open (as for `watch`), `not_found` for a position without an event. */
  why(connectionId: string, seq: number): Promise<Why>;
  /** What a connection that resumes would be sent; sends nothing. Rejects with RosterError as a connect does, and for an unknown user. */
  rehearse(question: RehearseBody): Promise<RehearseAnswer>;
  /** The open live connections of a user on all nodes, oldest first. A node that does not answer within 2 s counts for none. */
  connectionsOf(userId: string): Promise<readonly UserConnection[]>;
  /** Of every node that answers within 2 s. */
  backupStates(): Promise<readonly BackupState[]>;
  /** Forgets a durable consumer by a command of `call`. Resolves with the position of the change. Rejects with RosterError `not_found`. */
  removeConsumer(name: string, call: Pick<RequestWrites, 'submit'>): Promise<number>;
}

/** Files that requests upload or fetch: uploads for imports, and finished exports. The daemon chooses the names, never a caller. */
export interface FileStore {
  /** Stores an upload whole or not at all; rejects with RosterError `too_big` beyond `bytesMax`. */
  saveUpload(path: string, source: Readable, bytesMax: number): Promise<{ readonly bytes: number }>;
  hasUpload(path: string): Promise<boolean>;
  /** The finished export; undefined when it does not exist, or no longer. */
  openExport(taskId: string, name: string): Promise<{ readonly stream: Readable; readonly bytes: number } | undefined>;
}

/** A backup that is being read. When its stream ends, it ends too and releases what it holds. */
export interface OpenBackup {
  readonly stream: Readable;
  /** The position of the state that it contains. */
  readonly position: Position;
}

/** The history of changes to users. */
export interface UserHistory {
  /**
   * A page, newest first. `next` is `before` of the page after it, if there is one; the history is complete from the time `from` on.
   * Rejects with RosterError: `not_found` when no history is kept, `unavailable` while a part of it cannot be read.
   */
  page(question: {
    readonly id: string;
    readonly limit: number;
    /** Only changes with a smaller seq. */
    readonly before?: number;
  }): Promise<{ readonly items: readonly HistoryItem[]; readonly next?: number; readonly from: Micros }>;
}

/** The delivery of webhooks, as far as requests use it. */
export interface HookControl {
  /** Whether webhooks may be delivered to this host of a URL: to a private address only where the operator allows it. */
  mayReach(hostname: string): boolean;
  /** In the order in which they were configured. Where nodes share the hooks: as of a second ago. */
  status(): Promise<readonly HookStatus[]>;
  /** Oldest event first. Rejects with RosterError: `not_found`, `input`. */
  deadLetters(hookId: string, page: LetterPage): Promise<readonly DeadLetter[]>;
  /** A dead letter with its body, as it would be sent now. Rejects with RosterError `not_found`. */
  letter(hookId: string, id: string): Promise<LetterWithBody>;
  /** Sends one test request, which is no delivery. Rejects with RosterError: `not_found` for a hook that is no webhook, `rate_limit`. */
  trial(trial: HookTrial): Promise<HookTrialResult>;
  /** Rejects with RosterError: `not_found`, `conflict` for a hook that is disabled. */
  replay(hookId: string, request: ReplayRequest): Promise<{ readonly replaying: number; readonly remaining: number }>;
}

export interface Services {
  readonly files: FileStore;
  readonly history: UserHistory;
  readonly hooks: HookControl;
  /** A token signed with the API secret. */
  issueToken(claims: Readonly<Record<string, unknown>>): string;
  /** Writes down who made a token for whom. `client`: how the caller names itself; `exp`: unix seconds. */
  noteToken(made: { readonly user: string; readonly client: string | undefined; readonly exp: number | undefined }): void;
  /** An absolute URL to a path of this daemon that works without a token until `untilS` (unix seconds). */
  signUrl(path: string, untilS: number): string;
  /** Wall clock, milliseconds. */
  nowMs(): number;
  /** A backup of the directory as it is now. Throws RosterError `rate_limit` while too many are in progress. */
  openBackup(isCompressed: boolean): OpenBackup;
  /** Whether the opt-in stand-ins for channels are served. */
  readonly compatStubs: boolean;
}
