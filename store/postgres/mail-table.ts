/** The messages of nodes to one another. They mean nothing after a moment, so they are not logged. */
export const MAIL = `
create unlogged table rosterd.message (
  app text not null,
  to_node text not null,
  no bigint generated always as identity,
  from_node text not null,
  sent timestamptz not null,
  body text not null,
  primary key (app, to_node, no)
);
create function rosterd.send_message(p_app text, p_channel text, p_to text, p_from text, p_body text) returns void language sql as $$
  insert into rosterd.message (app, to_node, from_node, sent, body) values (p_app, p_to, p_from, clock_timestamp(), p_body);
  select pg_notify(p_channel, '');
$$;
create function rosterd.take_messages(p_app text, p_node text, p_kept_ms int)
returns table (no bigint, from_node text, body text, is_fresh boolean) language sql as $$
  with taken as (
    delete from rosterd.message m using (
      select f.no from rosterd.message f where f.app = p_app and f.to_node = p_node order by f.no limit 100
    ) first where m.app = p_app and m.to_node = p_node and m.no = first.no
    returning m.*
  ) select t.no, t.from_node, t.body, t.sent > clock_timestamp() - p_kept_ms * interval '1 millisecond' from taken t order by t.no
$$;
create function rosterd.drop_messages(p_app text, p_kept_ms int) returns void language sql as $$
  delete from rosterd.message where app = p_app and sent < clock_timestamp() - p_kept_ms * interval '1 millisecond'
$$;`;
