/**
 * The tables of webhooks, and what must be one step. A write takes the row of its hook first, and so does a replay: neither sees half of the
 * other. The number of a write makes that it counts once, and that one which arrives late, after a lost connection, changes nothing (LT3).
 */
export const LETTERS = `
create table rosterd.hook (
  app text not null,
  hook text not null,
  number bigint not null default 0,
  lost bigint not null default 0,
  report text not null default '',
  primary key (app, hook)
);
create table rosterd.letter (
  app text not null,
  hook text not null,
  id text not null,
  epoch text not null,
  seq bigint not null,
  at bigint not null,
  lane text not null,
  type text not null,
  bytes int not null,
  state text not null,
  attempts int not null,
  retries int not null,
  when_ms float8 not null,
  reason text not null,
  is_replay boolean not null,
  mark bigint,
  event bytea not null,
  primary key (app, hook, id)
);
create index letter_order on rosterd.letter (app, hook, state, at, seq, id);
create index letter_mark on rosterd.letter (app, hook) where mark is not null;
create sequence rosterd.letter_mark_number;

create function rosterd.open_letters(p_app text, p_job text, p_token bigint, p_hook text) returns void language plpgsql as $$
begin
  perform rosterd.check_lease(p_app, p_job, p_token);
  insert into rosterd.hook (app, hook) values (p_app, p_hook) on conflict do nothing;
end $$;

create function rosterd.write_letters(p_app text, p_job text, p_token bigint, p_hook text, p_number bigint, p_lost bigint, p_is_urgent boolean,
  p_changes json) returns void language plpgsql as $$
begin
  perform rosterd.check_lease(p_app, p_job, p_token);
  if not p_is_urgent then
    perform set_config('synchronous_commit', 'off', true);
  end if;
  update rosterd.hook set number = p_number, lost = p_lost where app = p_app and hook = p_hook and number < p_number;
  if not found then
    return;
  end if;
  insert into rosterd.letter
    select p_app, p_hook, u.id, u.epoch, u.seq, u.at, u.lane, u.type, u.bytes, u.state, u.attempts, u.retries, u."whenMs", u.reason,
      u."isReplay", null, convert_to(u.event, 'UTF8')
    from json_to_recordset(p_changes->'puts') as u(id text, epoch text, seq bigint, at bigint, lane text, type text, bytes int, state text,
      attempts int, retries int, "whenMs" float8, reason text, "isReplay" boolean, event text)
    on conflict (app, hook, id) do update set state = excluded.state, attempts = excluded.attempts, retries = excluded.retries,
      when_ms = excluded.when_ms, reason = excluded.reason, is_replay = excluded.is_replay, mark = null;
  update rosterd.letter l set state = u.state, attempts = u.attempts, retries = u.retries, when_ms = u."whenMs", reason = u.reason,
      is_replay = u."isReplay", mark = null
    from json_to_recordset(p_changes->'moves') as u(id text, state text, attempts int, retries int, "whenMs" float8, reason text,
      "isReplay" boolean)
    where l.app = p_app and l.hook = p_hook and l.id = u.id;
  delete from rosterd.letter where app = p_app and hook = p_hook and id in (select json_array_elements_text(p_changes->'drops'));
  delete from rosterd.letter where app = p_app and hook = p_hook and state = 'dead'
    and id in (select json_array_elements_text(p_changes->'expired'));
end $$;

create function rosterd.remove_letters(p_app text, p_job text, p_token bigint, p_hooks text[], p_are_these boolean) returns void
language plpgsql as $$
begin
  perform rosterd.check_lease(p_app, p_job, p_token);
  delete from rosterd.hook where app = p_app and (hook = any(p_hooks)) = p_are_these;
  delete from rosterd.letter where app = p_app and (hook = any(p_hooks)) = p_are_these;
end $$;

create function rosterd.replay_letters(p_app text, p_hook text, p_ids text[], p_from bigint, p_to bigint, p_now float8, p_max int,
  p_parked_max int, p_bytes_max bigint) returns table (replaying int, remaining int) language plpgsql as $$
declare
  v_room bigint;
  v_all int;
  v_done int;
begin
  perform from rosterd.hook where app = p_app and hook = p_hook for update;
  select case when coalesce(sum(bytes), 0) >= p_bytes_max then 0 else greatest(0, p_parked_max - count(*)) end into v_room
    from rosterd.letter where app = p_app and hook = p_hook and state = 'parked';
  select count(*) into v_all from rosterd.letter
    where app = p_app and hook = p_hook and at between p_from and p_to and (p_ids is null or id = any(p_ids));
  with first as (
    select id, state, count(*) filter (where state = 'dead') over (order by at, seq, id) as number from rosterd.letter
    where app = p_app and hook = p_hook and at between p_from and p_to and (p_ids is null or id = any(p_ids))
    order by at, seq, id limit p_max
  )
  update rosterd.letter l set is_replay = l.is_replay or l.state = 'dead', state = 'parked', when_ms = p_now,
      mark = nextval('rosterd.letter_mark_number')
    from first where l.app = p_app and l.hook = p_hook and l.id = first.id and (first.state = 'parked' or first.number <= v_room);
  get diagnostics v_done = row_count;
  return query select v_done, v_all - v_done;
end $$;`;
