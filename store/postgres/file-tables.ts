/**
 * The tables of the files beside the log (blobs.ts).
 *
 *   file        one row for each; `bytes` is null while it is arriving, and then nobody finds it
 *   file_chunk  their bytes; they go with their file
 */

const FILES = `
create table rosterd.file (
  app text not null,
  id uuid not null,
  folder text not null,
  name text not null,
  chunks int,
  bytes bigint,
  stored_at timestamptz not null default clock_timestamp(),
  primary key (app, id)
);
create unique index file_name on rosterd.file (app, folder, name) where bytes is not null;

create table rosterd.file_chunk (
  app text not null,
  id uuid not null,
  part int not null,
  data bytea not null,
  primary key (app, id, part),
  foreign key (app, id) references rosterd.file on delete cascade
);
alter table rosterd.file_chunk alter column data set storage external;
`;

/** Of a fenced write, before anything else. */
const FENCE = 'if p_job is not null then perform rosterd.check_lease(p_app, p_job, p_token); end if;';

/**
 * The last step of a file: it is whole from now on, and has its name. It may be asked again, and arrive late: the second time it finds what the first
 * one has done, and a file that is gone stays so. "lost": chunks are missing, or housekeeping has removed it as one that stood still.
 */
const STORE = `
create function rosterd.store_file(p_app text, p_id uuid, p_folder text, p_name text, p_chunks int, p_bytes bigint, p_replaces boolean, p_job text,
  p_token bigint) returns text language plpgsql as $$
declare
  held record;
begin
  perform pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'rosterd file', p_app, p_folder, p_name), 0));
  ${FENCE}
  perform from rosterd.file where app = p_app and id = p_id for update;
  if not found then return 'lost'; end if;
  select count(*) as chunks, coalesce(sum(octet_length(data)), 0) as bytes into held from rosterd.file_chunk where app = p_app and id = p_id;
  if held.chunks <> p_chunks or held.bytes <> p_bytes then return 'lost'; end if;
  if p_replaces then
    delete from rosterd.file where app = p_app and folder = p_folder and name = p_name and bytes is not null and id <> p_id;
  elsif exists (select from rosterd.file where app = p_app and folder = p_folder and name = p_name and bytes is not null and id <> p_id) then
    return 'conflict';
  end if;
  update rosterd.file set chunks = p_chunks, bytes = p_bytes, stored_at = clock_timestamp() where app = p_app and id = p_id;
  return 'stored';
end $$;`;

/**
 * Removes one file that is older than this, or one of which nothing was stored for an hour and which is therefore not arriving any more. True when
 * it was whole; null when there is none left.
 */
const REMOVE = `
create function rosterd.remove_file(p_app text, p_folder text, p_before timestamptz, p_kept text[], p_job text, p_token bigint) returns boolean
language plpgsql as $$
declare
  f rosterd.file;
begin
  ${FENCE}
  select * into f from rosterd.file where app = p_app and folder = p_folder and case
    when bytes is null then stored_at < clock_timestamp() - interval '1 hour'
    else stored_at < p_before and name <> all(p_kept) end
    limit 1 for update;
  if not found then return null; end if;
  delete from rosterd.file where app = p_app and id = f.id;
  return f.bytes is not null;
end $$;`;

export const FILE_TABLES = [FILES, STORE, REMOVE].join('\n');
