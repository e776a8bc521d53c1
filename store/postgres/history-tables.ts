/**
 * The step that makes the tables of the history of users.
 *
 *   history           one row per change; a row of the user '' is a place where the history began anew and changes are missing before it
 *   history_position  one row per application: up to where the log was read, since when nothing is missing, how much space the rows take
 *
 * Each function that writes asks first whether the writer still holds the job. The rows and the position that belongs to them change together.
 */

/**
 * `history_bytes` is what a row takes, with its part of both indexes (measured; pages are not quite full). With its sum in `history_position`,
 * retention need not count the rows.
 */
const TABLES = `
create table rosterd.history (
  seq bigint not null,
  at bigint not null,
  app text not null,
  user_id text not null,
  record bytea not null,
  primary key (app, user_id, seq)
);
create unique index history_seq on rosterd.history (app, seq);

create table rosterd.history_position (
  app text primary key,
  epoch text not null,
  seq bigint not null,
  complete_from bigint not null,
  bytes bigint not null
) with (fillfactor = 20, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0);

create function rosterd.history_bytes(p_app text, p_user text, p_record_bytes int) returns int language sql immutable
  as $$ select 120 + p_record_bytes + 2 * octet_length(p_user) + 3 * octet_length(p_app) $$;
`;

/**
 * Answers the space that all rows take. The records are parts of one value, given how long each is: that costs both sides less than an array
 * of bytes.
 */
const RECORD = `
create function rosterd.record_history(p_app text, p_token bigint, p_epoch text, p_from bigint, p_seq bigint, p_users text[], p_seqs bigint[],
  p_times bigint[], p_records bytea, p_lengths int[])
returns bigint language plpgsql as $$
declare
  v_bytes bigint;
begin
  perform rosterd.check_lease(p_app, 'history', p_token);
  update rosterd.history_position set seq = p_seq,
      bytes = bytes + coalesce((select sum(rosterd.history_bytes(p_app, u.id, u.length)) from unnest(p_users, p_lengths) as u(id, length)), 0)
    where app = p_app and epoch = p_epoch and seq = p_from returning bytes into v_bytes;
  if not found then
    raise exception using errcode = 'RS003', message = format('the history of users is not at %s in epoch %s', p_from, p_epoch);
  end if;
  insert into rosterd.history (seq, at, app, user_id, record)
    select u.seq, u.at, p_app, u.id, substr(p_records, (u.ending - u.length + 1)::int, u.length)
    from (
      select n.*, sum(n.length) over (order by n.place) as ending
      from unnest(p_seqs, p_times, p_users, p_lengths) with ordinality as n(seq, at, id, length, place)
    ) u;
  return v_bytes;
end $$;`;

/** False while there is more to remove: 5,000 rows at a time, the newest first, so that the rows left always end at the position. */
const BEGIN = `
create function rosterd.begin_history(p_app text, p_token bigint, p_epoch text, p_after bigint, p_time bigint)
returns boolean language plpgsql as $$
declare
  p rosterd.history_position;
  v_count bigint;
  v_least bigint;
  v_bytes bigint;
begin
  perform rosterd.check_lease(p_app, 'history', p_token);
  select * into p from rosterd.history_position where app = p_app for update;
  if not found then
    insert into rosterd.history_position (app, epoch, seq, complete_from, bytes) values (p_app, p_epoch, p_after, p_time, 0);
    return true;
  end if;
  with gone as (
    delete from rosterd.history where ctid = any(array(
      select ctid from rosterd.history where app = p_app and seq > p_after order by seq desc limit 5000))
    returning seq, rosterd.history_bytes(app, user_id, octet_length(record)) as bytes
  ) select count(*), min(seq), coalesce(sum(bytes), 0) into v_count, v_least, v_bytes from gone;
  if v_count = 5000 then
    update rosterd.history_position set seq = v_least - 1, bytes = bytes - v_bytes where app = p_app;
    return false;
  end if;
  if p.seq < p_after then
    insert into rosterd.history (seq, at, app, user_id, record) values (p_after, p_time, p_app, '', '');
    v_bytes := v_bytes - rosterd.history_bytes(p_app, '', 0);
  end if;
  update rosterd.history_position set epoch = p_epoch, seq = p_after, bytes = bytes - v_bytes,
    complete_from = case when p.seq < p_after then p_time else complete_from end where app = p_app;
  return true;
end $$;`;

/**
 * Looks at the 5,000 oldest rows after `p_after`, removes those that must go, and answers the place to go on from; null at the end.
 * A time that has not come yet is from a clock that stood ahead: such a row goes with a later one that is too old.
 */
const TIDY = `
create function rosterd.tidy_history(p_app text, p_token bigint, p_after bigint, p_now bigint, p_not_before bigint, p_bytes_max bigint)
returns bigint language plpgsql as $$
declare
  p rosterd.history_position;
  r record;
begin
  perform rosterd.check_lease(p_app, 'history', p_token);
  select * into p from rosterd.history_position where app = p_app for update;
  with looked as materialized (
    select ctid as id, seq, at, rosterd.history_bytes(app, user_id, octet_length(record)) as bytes
    from rosterd.history where app = p_app and seq > p_after order by seq limit 5000
  ), judged as (
    select id, at < p_not_before or (at > p_now and seq < max(seq) filter (where at < p_not_before) over ())
      or sum(bytes) over (order by seq) - bytes < p.bytes - p_bytes_max as is_over
    from looked
  ), gone as (
    delete from rosterd.history where ctid = any(array(select id from judged where is_over))
    returning at, rosterd.history_bytes(app, user_id, octet_length(record)) as bytes
  ) select
      (select count(*) = 5000 from looked) as is_full, (select max(seq) from looked) as last, (select bool_and(at > p_now) from looked) as is_ahead,
      (select count(*) from gone) as count, (select coalesce(sum(bytes), 0) from gone) as bytes, (select max(at) from gone where at <= p_now) as at
    into r;
  if r.count > 0 then
    update rosterd.history_position set bytes = bytes - r.bytes, complete_from = greatest(complete_from, least(r.at + 1, p_now))
      where app = p_app;
  end if;
  return case when r.is_full and (r.count > 0 or r.is_ahead) then r.last end;
end $$;

create function rosterd.end_history(p_app text, p_token bigint) returns void language plpgsql as $$
begin
  perform rosterd.check_lease(p_app, 'history', p_token);
  delete from rosterd.history_position where app = p_app;
end $$;`;

export const HISTORY = [TABLES, RECORD, BEGIN, TIDY].join('\n');
