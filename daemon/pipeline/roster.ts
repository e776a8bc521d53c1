/**
 * The directory as a service. It opens on a log and a snapshot store, takes commands, answers queries, feeds subscribers, and closes in
 * reverse order. The edge talks to nothing else.
 */
import { randomUUID } from 'node:crypto';
import type { TeamUsageQuestion } from '../../protocol/app/usage.ts';
import type { Position } from '../../protocol/base/position.ts';
import type { DocLookups } from '../../protocol/live/document-events.ts';
import type { Command, Outcome } from '../../protocol/log/command.ts';
import type { Entry, Origin } from '../../protocol/log/entry.ts';
import type { QuerySpec } from '../../protocol/users/finding/query.ts';
import type { StoredUser } from '../../protocol/users/user.ts';
import { steadyClock } from '../base/clock.ts';
import { type Budget, inSlices } from '../base/slices.ts';
import { wallClock } from '../base/wall-clock.ts';
import { type TeamUsagePage, teamUsage } from '../core/app/usage.ts';
import { decide } from '../core/decide.ts';
import type { Directory } from '../core/directory/directory.ts';
import { Draft } from '../core/directory/draft.ts';
import type { RecordsView } from '../core/directory/frozen-view.ts';
import { RecentPast } from '../core/directory/recent-past.ts';
import type { UserChange } from '../core/directory/record.ts';
import { type NameCollisions, nameCollisions } from '../core/users/name-collisions.ts';
import { runQuery, type Visibility } from '../core/users/query.ts';
import type { RosterOptions } from './roster-options.ts';
import { CatchUp } from './tell/catch-up.ts';
import { Hub } from './tell/hub.ts';
import { Past } from './tell/past.ts';
import { mayShowOnline, Presence } from './tell/presence.ts';
import { PresenceChange } from './tell/presence-change.ts';
import { batchOf, type EventBatch, isAboutUser, type OutgoingUserEvent } from './tell/user-event.ts';
import { ActivityRounds } from './write/activity.ts';
import { Applier } from './write/applier.ts';
import { Arrivals } from './write/arrivals.ts';
import { ClockGap } from './write/clock-gap.ts';
import { loadedDirectory } from './write/loaded-directory.ts';
import { NameKeys } from './write/name-keys.ts';
import { holdOutbox, holdOutboxes } from './write/outbox-holds.ts';
import { type Lane, Sequencer } from './write/sequencer.ts';
import { Snapshotter } from './write/snapshotter.ts';

/** Receives the events about users. `settingsChanged`: the application's settings changed in the same entry. */
export type EventsListener = (events: readonly OutgoingUserEvent[], settingsChanged: boolean) => void;

/** How long events, and presence changes, wait for others to share their write. */
const GATHER_MS = 2;
const PRESENCE_GATHER_MS = 50;
/** Origin of the changes that the daemon makes without a request. */
const BY_ITSELF: Origin = { source: 'daemon' };

export class Roster {
  readonly directory: Directory;
  readonly hub: Hub;
  readonly presence: Presence;
  readonly clockGap: ClockGap;
  /** Positions that callers name. */
  readonly arrivals: Arrivals;
  readonly names = new NameKeys();
  readonly past: Past;
  readonly #options: RosterOptions & { readonly now: typeof wallClock };
  readonly #applier: Applier;
  readonly #sequencer: Sequencer;
  readonly #activity: ActivityRounds;
  readonly #snapshotter: Snapshotter;
  readonly #history: RecentPast<EventBatch>;
  readonly #lookups: DocLookups;
  #ready = true;
  #listener: EventsListener = () => {};
  readonly #appliedListeners = new Set<(entry: Entry) => void>();

  /** Loads the snapshot, replays the log up to its head, and is then ready to serve. */
  static async open(options: RosterOptions): Promise<Roster> {
    const directory = await loadedDirectory(options);
    const roster = new Roster(options, directory);
    void roster.#applier.start().catch((error: unknown) => roster.#fail(error));
    await roster.#applier.reached(options.log.head.seq);
    await roster.#meet();
    void roster.names.start(directory, options.logger);
    roster.#activity.start();
    roster.clockGap.check();
    return roster;
  }

  private constructor(options: RosterOptions, directory: Directory) {
    const { log, logger, policy, now = wallClock, steady = steadyClock } = options;
    this.#options = { ...options, now };
    this.directory = directory;
    for (const doc of directory.docs.all('outbox')) holdOutbox(log, { kind: 'outbox', id: doc.id, doc });
    this.presence = new Presence({
      graceMs: options.presenceGraceMs,
      gatherMs: PRESENCE_GATHER_MS,
      ...{ nowMs: () => steady.nowMs(), after: (ms, act) => steady.after(ms, act) },
      isVisible: (id) => mayShowOnline(directory.user(id)),
      onChange: (changes) => this.#presenceChanged(changes),
      onHere: (id, isHere) => options.peers?.say(id, isHere),
    });
    this.#lookups = {
      user: (id) => directory.user(id),
      online: (id) => this.toldOnline(id),
      exportUrl: (taskId) => options.exportUrl?.(taskId),
    };
    const onError = (error: unknown) => logger.error({ err: error }, 'unexpected error in the pipeline');
    this.#history = new RecentPast<EventBatch>(directory.seq, options.historyBytes);
    const catchUp = new CatchUp({ log, history: this.#history, hub: () => this.hub, lookups: this.#lookups, onError });
    this.hub = new Hub({
      seq: directory.seq,
      outboxBytesMax: options.outboxBytesMax,
      gatherMs: GATHER_MS,
      nowMs: () => performance.now(),
      catchUp: (subscriber) => catchUp.start(subscriber),
    });
    this.past = new Past({ log, history: this.#history, lookups: this.#lookups, catchUp, seq: () => directory.seq });
    this.#snapshotter = new Snapshotter(
      {
        directory,
        log,
        store: options.snapshots,
        leases: options.leases,
        everyFacts: options.snapshotEveryFacts,
        onSaved: (info) => logger.info(info, 'snapshot saved'),
        onError: (error) => logger.error({ err: error }, 'the snapshot could not be saved; the journal is kept until one is'),
        nowMs: () => performance.now(),
      },
      directory.seq,
    );
    this.#applier = new Applier(log, directory, (entry, changes) => this.#applied(entry, changes));
    this.arrivals = new Arrivals({ log, directory, applier: this.#applier, history: this.#history });
    this.clockGap = new ClockGap(directory, now, logger);
    const isFull = () => this.isFull;
    this.#sequencer = new Sequencer({ log, directory, applier: this.#applier, policy, now, isFull, newId: randomUUID, onError });
    this.#activity = new ActivityRounds({
      connected: () => this.presence.connected,
      lastActive: (id) => directory.user(id)?.last_active,
      submit: (command) => this.submit(command, 'bulk'),
      now,
      onError: (error) => logger.error({ err: error }, 'the activity of connected users could not be stored; it is tried again'),
    });
  }

  async #meet(): Promise<void> {
    const { presence, directory } = this;
    await this.#options.peers?.start({
      here: () => presence.here,
      applied: () => directory.seq,
      replaced: (node, users) => presence.replaceElsewhere(node, users),
      changed: (node, arrived, left) => presence.changeElsewhere(node, arrived, left),
      gone: (node) => presence.loseNode(node),
    });
  }

  #applied(entry: Entry, changes: readonly UserChange[]): void {
    const batch = batchOf(entry, changes, this.#lookups);
    this.#history.push(batch);
    // Sessions that an event makes invalid end before it is published, so that nothing follows their goodbye.
    this.#listener(
      batch.events.filter(isAboutUser),
      entry.facts.some((fact) => fact.t === 'app'),
    );
    // After those sessions ended, so that a user whose session was closed gets no grace period.
    for (const change of changes) this.presence.follow(change);
    this.hub.publish(batch);
    holdOutboxes(this.#options.log, entry.facts);
    this.#snapshotter.applied();
    this.clockGap.check();
    for (const listener of this.#appliedListeners) listener(entry);
  }

  #presenceChanged(changes: ReadonlyMap<string, boolean>): void {
    const told: PresenceChange[] = [];
    for (const [id, isOnline] of changes) {
      const user = this.directory.user(id);
      if (user !== undefined) told.push(new PresenceChange(user, isOnline, this.#options.now(), this.directory.seq));
    }
    if (told.length > 0) this.hub.publishPresence(told);
  }

  /** Adds a listener that receives every applied entry, after the directory changed, until `signal` aborts. It must be quick and not throw. */
  onApplied(listener: (entry: Entry) => void, signal?: AbortSignal): void {
    this.#appliedListeners.add(listener);
    signal?.addEventListener('abort', () => this.#appliedListeners.delete(listener), { once: true });
  }

  /** Sets the one listener that receives events before any subscriber does. */
  onEvents(listener: EventsListener): void {
    this.#listener = listener;
  }

  #fail(error: unknown): void {
    this.#ready = false;
    this.#options.logger.error({ err: error }, 'the directory cannot follow its log');
    this.#options.onFatal(error);
  }

  get position(): Position {
    return this.directory.position;
  }

  /** Whether requests can be served: the log was replayed and the daemon is not stopping. */
  get ready(): boolean {
    return this.#ready;
  }

  /** What it did so far, for whoever watches it. */
  get counts(): { readonly writes: Pick<Sequencer, 'queued' | 'results' | 'conflicts'>; readonly snapshots: Pick<Snapshotter, 'savedMs'> } {
    return { writes: this.#sequencer, snapshots: this.#snapshotter };
  }

  /** Whether the user has a visible live connection. */
  online(id: string): boolean {
    return this.presence.isOnline(id) && mayShowOnline(this.directory.user(id));
  }

  /**
   * Whether the user is online according to the last event that subscribers received. Later events must be consistent with it: about a user
   * that connects and is deleted or leaves at once, subscribers receive neither change.
   */
  toldOnline(id: string): boolean {
    return this.presence.visible.has(id);
  }

  /** Rejects with RosterError. `live`: work that a person waits for; `bulk`: work on many users at once. */
  submit(command: Command, lane: Lane, origin: Origin = BY_ITSELF): Promise<Outcome> {
    return this.#sequencer.submit(command, lane, origin);
  }

  /** Resolves when this node knows whatever was acknowledged by any node before (SQ8). Rejects with RosterError. */
  async current(): Promise<void> {
    await this.submit({ kind: 'docs', changes: [] }, 'live');
  }

  /** Whether there is no memory for more users: commands that add some are refused, and all others are not. */
  get isFull(): boolean {
    return this.#options.hasRoom?.(this.directory.size) === false;
  }

  /**
   * The outcome that the command would have now, decided by the same rules; nothing is stored. Throws RosterError as `submit`
   * rejects.
   */
  preview(command: Command): Outcome {
    return decide(new Draft(this.directory, this.isFull), command, this.#options.now(), this.#options.policy);
  }

  /** Rejects with RosterError when it takes more work than the budget allows. `isGone`: whether nobody waits for the page any more. */
  query(query: QuerySpec, visibility: Visibility, budget?: Budget, isGone?: () => boolean): Promise<StoredUser[]> {
    const walk = runQuery(this.directory, query, (id) => this.online(id), visibility, isGone);
    return inSlices(walk, budget);
  }

  /** Names that several users share now, although names must be unique in this scope. Yields to all other work while it searches. */
  nameCollisions(scope: 'app' | 'team'): Promise<NameCollisions> {
    return inSlices(nameCollisions(this.directory, scope));
  }

  /** A page of teams with their usage of the application. Yields to all other work while it counts. */
  teamUsage(question: TeamUsageQuestion): Promise<TeamUsagePage> {
    return inSlices(teamUsage(this.directory, question, this.#options.now(), (id) => this.online(id)));
  }

  /** The directory at the current position, for a snapshot that a tail of events follows. Call `release` when done. */
  freeze(): RecordsView {
    this.hub.flush();
    return this.directory.freezeRecords();
  }

  /**
   * Every durable entry after `after`, then new ones, until `signal` aborts. Rejects when those entries are no longer kept: then
   * `keptAfter` is larger than `after`. An entry may appear here before the directory has applied it.
   */
  follow(after: number, signal: AbortSignal): AsyncIterable<Entry> {
    return this.#options.log.read(after, signal);
  }

  /** The smallest position that can be followed from. */
  get keptAfter(): number {
    return this.#options.log.tail;
  }

  /** The smallest position after which every event still holds the previous state of its user. */
  get remembersAfter(): number {
    return this.#history.tail;
  }

  /** Marks the daemon as about to stop; requests are still served. */
  beginStopping(): void {
    this.#ready = false;
  }

  /** Finishes the queued commands, saves a last snapshot and closes the log. Every subscriber must have left. */
  async close(): Promise<void> {
    this.#ready = false;
    this.#activity.stop();
    await this.#sequencer.close();
    this.presence.stop();
    await this.#options.peers?.close();
    await this.#snapshotter.finish().catch((error: unknown) => this.#options.logger.error({ err: error }, 'no snapshot at shutdown'));
    await this.#applier.stop();
    await this.#options.log.close();
  }
}
