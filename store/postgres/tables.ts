/**
 * The tables, and how each version of them is made from the one before. Each table is keyed by `app`, so one database serves several
 * applications. A step, once released, never changes: a change is a further step.
 *
 *   head            where the log ends; one row per application, the only one that appends fight for
 *   entry           the entries; `time` and `total` (bytes up to its end) are for retention alone
 *   snapshot        whole snapshots; written last, so a row stands for all of its chunks
 *   snapshot_chunk  their bytes
 *   lease           who may try a job that one process does at a time
 *   node, presence  the processes, and who is online at which of them (node-schema.ts)
 *   history…        the history of users (history-tables.ts)
 *   file …          files beside the log (file-tables.ts)
 *   hook, letter    webhooks, and the events that they were not given (letter-schema.ts)
 *   message         what one node says to another (mail-table.ts)
 */
import { FILE_TABLES } from './file-tables.ts';
import { HISTORY } from './history-tables.ts';
import { LETTERS } from './letter-schema.ts';
import { MAIL } from './mail-table.ts';
import { NODE_SETTINGS } from './node-schema.ts';

const TABLES = `
create table rosterd.head (
  app text primary key,
  epoch text not null,
  seq bigint not null,
  fence bigint not null,
  tail bigint not null,
  tail_id text,
  total bigint not null,
  format int not null,
  timeline text not null,
  is_synced boolean not null,
  secret_mac text not null
) with (fillfactor = 20, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0);

create table rosterd.entry (
  app text not null,
  last bigint not null,
  first bigint not null,
  id text not null,
  time bigint not null,
  version int not null,
  crc bigint not null,
  total bigint not null,
  payload bytea not null,
  primary key (app, last)
);

create sequence rosterd.snapshot_number;

create table rosterd.snapshot (
  app text not null,
  number bigint not null,
  epoch text not null,
  seq bigint not null,
  entry_id text,
  chunks int not null,
  bytes bigint not null,
  sha256 text not null,
  primary key (app, number)
);

create table rosterd.snapshot_chunk (
  app text not null,
  number bigint not null,
  part int not null,
  data bytea not null,
  primary key (app, number, part)
);
alter table rosterd.snapshot_chunk alter column data set storage external;
`;

/** Appends share it, and a turn has it alone. */
const TURN_KEY = `create function rosterd.turn_key(p_app text) returns bigint language sql immutable
  as $$ select hashtextextended('rosterd turn ' || p_app, 0) $$;`;

/** What a writer that lost needs to go on: up to 50 entries and 1 MiB, so that it need not ask again. */
const NEXT_ENTRIES = `
create function rosterd.next_entries(p_app text, p_after bigint)
returns table (last bigint, first bigint, version int, crc bigint, payload text) language sql stable as $$
  select e.last, e.first, e.version, e.crc, convert_from(e.payload, 'UTF8') from (
    select n.*, sum(octet_length(n.payload)) over (order by n.last) as bytes from rosterd.entry n
    where n.app = p_app and n.last > p_after order by n.last limit 50
  ) e where e.bytes <= 1048576 order by e.last
$$;`;

/**
 * Stores entries that follow one another, all or none, if the head is exactly the one that the writer knows. A head that must be replicated
 * refuses while no standby is named: a commit would be acknowledged that a failover loses.
 */
const APPEND = `
create function rosterd.append(p_app text, p_epoch text, p_after bigint, p_fence bigint, p_lasts bigint[], p_firsts bigint[], p_ids text[],
  p_times bigint[], p_version int, p_crcs bigint[], p_sums bigint[], p_payloads bytea[])
returns table (status text, epoch text, seq bigint, fence bigint, last bigint, first bigint, version int, crc bigint, payload text)
language plpgsql as $$
#variable_conflict use_column
declare
  h rosterd.head;
begin
  perform pg_advisory_xact_lock_shared(rosterd.turn_key(p_app));
  update rosterd.head set seq = p_lasts[cardinality(p_lasts)], total = total + p_sums[cardinality(p_sums)]
    where app = p_app and epoch = p_epoch and seq = p_after and fence = p_fence returning * into h;
  if found then
    if h.is_synced and current_setting('synchronous_standby_names') = '' then
      raise exception using errcode = 'RS001', message = 'no synchronous standby is named (synchronous_standby_names is empty)';
    end if;
    insert into rosterd.entry (app, last, first, id, time, version, crc, total, payload)
      select p_app, u.last, u.first, u.id, least(u.time, (extract(epoch from clock_timestamp()) * 1000000)::bigint), p_version, u.crc,
        h.total - p_sums[cardinality(p_sums)] + u.sum, u.payload
      from unnest(p_lasts, p_firsts, p_ids, p_times, p_crcs, p_sums, p_payloads) as u(last, first, id, time, crc, sum, payload);
    return query select 'appended', h.epoch, h.seq, h.fence, null::bigint, null::bigint, null::int, null::bigint, null::text;
  else
    select * into h from rosterd.head where app = p_app;
    return query select 'conflict', h.epoch, h.seq, h.fence, n.*
      from (select 1) one left join rosterd.next_entries(p_app, p_after) n on true;
  end if;
end $$;`;

/** After this, no append that was sent before can succeed any more: it either has, or meets another fence. */
const RAISE_FENCE = `
create function rosterd.raise_fence(p_app text, p_last bigint, p_id text)
returns table (epoch text, seq bigint, fence bigint, tail bigint, is_stored boolean)
language plpgsql as $$
#variable_conflict use_column
declare
  h rosterd.head;
begin
  update rosterd.head set fence = fence + 1 where app = p_app returning * into h;
  return query select h.epoch, h.seq, h.fence, h.tail,
    exists (select from rosterd.entry e where e.app = p_app and e.last = p_last and e.id = p_id);
end $$;`;

const TAKE_TURN = `
create function rosterd.take_turn(p_app text, p_after bigint)
returns table (epoch text, seq bigint, fence bigint, last bigint, first bigint, version int, crc bigint, payload text)
language plpgsql as $$
#variable_conflict use_column
declare
  h rosterd.head;
begin
  perform pg_advisory_xact_lock(rosterd.turn_key(p_app));
  select * into h from rosterd.head where app = p_app;
  return query select h.epoch, h.seq, h.fence, n.* from (select 1) one left join rosterd.next_entries(p_app, p_after) n on true;
end $$;`;

/**
 * The end of what may go: nothing after the older of the last two snapshots, nothing that a limit still asks for, nothing held. It is the
 * new tail at once, and the entries are removed afterwards, so that the head is locked for a moment only. Limits are null when there is none.
 */
const TRIM = `
create function rosterd.trim(p_app text, p_covered bigint, p_facts bigint, p_bytes bigint, p_time bigint, p_held bigint, p_held_bytes bigint)
returns table (tail bigint, cut bigint) language plpgsql as $$
#variable_conflict use_column
declare
  h rosterd.head;
  e record;
  v_cut bigint;
  v_id text;
  v_covered bigint;
begin
  select * into h from rosterd.head where app = p_app;
  select least(p_covered, min(s.seq)) into v_covered from
    (select seq from rosterd.snapshot where app = p_app order by seq desc, number desc limit 2) s having count(*) = 2;
  for e in select last, id, time, total, octet_length(payload) as bytes from rosterd.entry
    where app = p_app and last > h.tail and last <= v_covered order by last
  loop
    exit when (e.last > p_held and h.total - e.total + e.bytes <= p_held_bytes);
    exit when (h.seq - e.last >= p_facts or h.total - e.total >= p_bytes or e.time < p_time) is not true;
    v_cut := e.last;
    v_id := e.id;
  end loop;
  update rosterd.head set tail = v_cut, tail_id = v_id where app = p_app and v_cut > tail;
  return query select coalesce(v_cut, h.tail), v_cut;
end $$;`;

/**
 * `check_lease` is asked in the transaction of a write that only the holder may make. The row stays as it is until that commits, so a new holder
 * finds everything that the one before it has written.
 */
const LEASES = `
create table rosterd.lease (
  app text not null,
  job text not null,
  holder text not null,
  token bigint not null default 0,
  until timestamptz not null,
  primary key (app, job)
);
create function rosterd.take_lease(p_app text, p_job text, p_holder text, p_ms int) returns boolean language sql as $$
  with taken as (
    insert into rosterd.lease as l (app, job, holder, until)
      values (p_app, p_job, p_holder, clock_timestamp() + p_ms * interval '1 millisecond')
    on conflict (app, job) do update set holder = excluded.holder, until = excluded.until
      where l.holder = excluded.holder or l.until < clock_timestamp()
    returning 1
  ) select exists (select from taken)
$$;
create function rosterd.check_lease(p_app text, p_job text, p_token bigint) returns void language plpgsql as $$
begin
  perform from rosterd.lease where app = p_app and job = p_job and token = p_token for share;
  if not found then
    raise exception using errcode = 'RS002', message = format('another process does the job "%s" now', p_job);
  end if;
end $$;`;

/**
 * Nodes and presence mean nothing after a crash of the server, so they are not logged. A node that joins says everything anew; what it says
 * after that goes to the other nodes in the notification itself.
 */
const PEERS = `
create unlogged table rosterd.node (
  app text not null,
  name text not null,
  boot text not null,
  version text not null,
  applied bigint not null,
  seen timestamptz not null,
  primary key (app, name)
);
create unlogged table rosterd.presence (
  app text not null,
  node text not null,
  user_id text not null,
  primary key (app, node, user_id)
);
create function rosterd.join_nodes(p_app text, p_channel text, p_name text, p_boot text, p_version text, p_applied bigint, p_users text[])
returns void language sql as $$
  insert into rosterd.node values (p_app, p_name, p_boot, p_version, p_applied, clock_timestamp())
    on conflict (app, name) do update set boot = excluded.boot, version = excluded.version, applied = excluded.applied, seen = excluded.seen;
  delete from rosterd.presence where app = p_app and node = p_name;
  insert into rosterd.presence select distinct p_app, p_name, u from unnest(p_users) u;
  select pg_notify(p_channel, json_build_object('joined', p_name)::text);
$$;
create function rosterd.say_presence(p_app text, p_channel text, p_name text, p_arrived text[], p_left text[]) returns void language sql as $$
  delete from rosterd.presence where app = p_app and node = p_name and user_id = any (p_left);
  insert into rosterd.presence select p_app, p_name, u from unnest(p_arrived) u on conflict do nothing;
  select pg_notify(p_channel, json_build_object('node', p_name, 'arrived', p_arrived, 'left', p_left)::text);
$$;
create function rosterd.leave_nodes(p_app text, p_channel text, p_name text, p_boot text) returns void language sql as $$
  delete from rosterd.presence where app = p_app and node = p_name;
  delete from rosterd.node where app = p_app and name = p_name and boot = p_boot;
  select pg_notify(p_channel, json_build_object('gone', p_name)::text);
$$;`;

const LOG = [TABLES, TURN_KEY, NEXT_ENTRIES, APPEND, RAISE_FENCE, TAKE_TURN, TRIM].join('\n');

/** Step n makes format n + 1. */
export const SCHEMA_STEPS: readonly string[] = [LOG, LEASES, PEERS, HISTORY, FILE_TABLES, LETTERS, MAIL, NODE_SETTINGS];
