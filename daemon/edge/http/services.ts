/** Services that handlers can use beside the directory. */
import type { Readable } from 'node:stream';
import type { Json, JsonObject } from '../../../protocol/base/json.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import type { HookTrial, HookTrialResult } from '../../../protocol/hooks/check.ts';
import type { DeadLetter, HookStatus, LetterPage, LetterWithBody, ReplayRequest } from '../../../protocol/hooks/dead-letters.ts';
import type { RehearseAnswer, RehearseBody } from '../../../protocol/live/rehearsal.ts';
import type { ChangesQuestion } from '../../../protocol/transfer/plans.ts';
import type { HistoryItem } from '../../../protocol/users/history.ts';
import type { RequestWrites } from './backend.ts';

/** Why a live connection received an event, or did not. */
export interface Why {
  readonly event: { readonly seq: number; readonly type: string; readonly user_id: string | null; readonly audience: string };
  readonly connection: {
    readonly connection_id: string;
    readonly user_id: string | null;
    readonly opened_at: string;
    /** Only of one that ended. */
    readonly closed_at?: string;
    readonly close_code?: number | null;
  };
  readonly delivered: 'sent' | 'not_sent' | 'not_yet' | 'unknown';
  /** In the order in which they decide. `is_reached`: the event gets past it; null where that is not known. */
  readonly steps: { readonly about: string; readonly is_reached: boolean | null; readonly text: string }[];
  readonly subscriptions: { readonly sub: string; readonly want: string; readonly result: string }[];
}

/** A live connection, open or ended lately. */
export interface TracedConnection {
  readonly connection_id: string;
  readonly user_id: string | null;
  readonly opened_at: string;
  readonly closed_at?: string;
  readonly close_code?: number | null;
  readonly resumed: boolean;
  readonly consumer?: string;
  /** Everything up to there was handed to it; absent for one that is up to date. */
  readonly position?: number;
  readonly subs: string[];
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

/** By the path of the connection. */
export type LiveTransport = 'live' | 'connect' | 'socket.io';

/** A live connection as an operator sees it. */
export interface ListedConnection extends UserConnection {
  /** null: a server's, or nobody's in particular. */
  readonly user: string | null;
  readonly transport: LiveTransport;
  /** As the daemon sees it: that of a proxy, where there is one. */
  readonly address: string | null;
  /** Bytes that wait for the peer. */
  readonly queueBytes: number;
  /** Those that the client named. */
  readonly subscriptions: number;
  /** Everything up to this position was handed to it. null: its protocol has no positions. */
  readonly sentSeq: number | null;
  /** The durable consumer that it speaks for. */
  readonly consumer: string | null;
  /** The position that this consumer acknowledged, as it is stored. */
  readonly acknowledgedSeq: number | null;
}

/** `queue`: the longest queue first. */
export type ConnectionSort = 'queue' | 'oldest' | 'newest';

/** A place in a list of connections: the value that it is sorted by, and the id. */
export interface PlaceInList {
  readonly value: number;
  readonly id: string;
}

export interface ConnectionsQuestion {
  /** The id of the user, or of the connection, begins with it. */
  readonly search: string;
  readonly sort: ConnectionSort;
  readonly after?: PlaceInList | undefined;
  /** Rows of a page. */
  readonly limit: number;
}

export interface PageOfConnections {
  readonly rows: readonly (ListedConnection & { readonly node: string | undefined })[];
  /** Connections that the search finds, on the nodes that answered. */
  readonly total: number;
  /** Where the next page begins, if there is one. */
  readonly place?: PlaceInList;
  /** Nodes that did not answer within 2 s. */
  readonly silent: readonly string[];
}

/** The live connections and what only single nodes know, as far as requests use them. */
export interface LiveControl {
  /**
   * Makes a live connection of the caller watch these users, on whatever node it is. Throws or rejects with RosterError `input` for one that is
   * not open, or whose node does not answer within 2 s.
   */
  watch(connectionId: string, caller: Caller, ids: readonly string[]): Promise<void> | undefined;
  /** Rejects with RosterError: `input` for a connection that is neither open nor remembered, `not_found` for a position without an event. */
  why(connectionId: string, seq: number): Promise<Why>;
  /** Connections of a user, or of servers, on all nodes: open ones, and what is known of those that ended within the last hour. */
  traced(userId: string | undefined): Promise<readonly TracedConnection[]>;
  /** What a connection that resumes would be sent; sends nothing. Rejects with RosterError as a connect does, and for an unknown user. */
  rehearse(question: RehearseBody): Promise<RehearseAnswer>;
  /** The open live connections of a user on all nodes, oldest first. A node that does not answer within 2 s counts for none. */
  connectionsOf(userId: string): Promise<readonly UserConnection[]>;
  /** Of every node that answers within 2 s. */
  backupStates(): Promise<readonly BackupState[]>;
  /** A page of all open live connections. */
  list(question: ConnectionsQuestion): Promise<PageOfConnections>;
  /** Says goodbye to a connection, on whatever node it is; its client may come back. Rejects with RosterError: `not_found`, `unavailable` where its node does not answer. */
  close(connectionId: string): Promise<void>;
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

/** The files of sync plans, as far as requests look into them. */
export interface PlanReader {
  /** The beginning of an upload; `file`: its name. Rejects with RosterError: `not_found`, `input` for what cannot be planned. */
  look(
    path: string,
    file: string,
  ): Promise<{
    readonly format: string;
    readonly columns: readonly string[];
    readonly rows: readonly (readonly Json[])[];
    readonly map: Readonly<Record<string, string>>;
  }>;
  /** A page of a plan. Rejects with RosterError `not_found`. */
  changes(id: string, question: ChangesQuestion): Promise<{ readonly changes: readonly JsonObject[]; readonly next?: number }>;
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

/** A node, and how it is doing as node-state.ts describes it; or why that is not known. */
export interface ListedNode {
  /** Undefined where there are no other nodes. */
  readonly name: string | undefined;
  /** Whether it is the node that answers. */
  readonly isHere: boolean;
  readonly state?: object;
  readonly error?: string;
}

export interface NodesList {
  /** This node first, then the others by name. `after`: samples up to this time are left out, seconds since 1970. */
  list(after: number): Promise<readonly ListedNode[]>;
}

/** A setting of the daemon as it is in force here. Nothing in it is secret. */
export interface EffectiveSetting {
  readonly key: string;
  /** As it would be written in a variable; masked where it is secret. */
  readonly value: string;
  readonly origin: 'default' | 'file' | 'env' | 'flag';
  /** The file, the variable or the flag that it came from; `default`. */
  readonly from: string;
  readonly default: string;
  readonly allowed: string;
  readonly about: string;
  readonly env: string;
  readonly flag: string;
  readonly isSecret: boolean;
}

export interface Services {
  readonly files: FileStore;
  readonly plans: PlanReader;
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
  /** The settings that the daemon was started with, in the order of their documentation. */
  readonly settings: readonly EffectiveSetting[];
  /** How all nodes are doing. */
  readonly nodes: NodesList;
  /** Whether the opt-in stand-ins for channels are served. */
  readonly compatStubs: boolean;
}
