/**
 * What the nodes say about themselves beside their position: the settings that all of them must share, each as a keyed hash, and the newest
 * format of entries that they read. A node of a version before this step joins by the function that it knows, and says neither.
 */
export const NODE_SETTINGS = `
alter table rosterd.node add column config_mac text not null default '', add column reads int not null default 0;

create function rosterd.join_nodes(p_app text, p_channel text, p_name text, p_boot text, p_version text, p_applied bigint, p_users text[],
  p_config_mac text, p_reads int) returns void language sql as $$
  select rosterd.join_nodes(p_app, p_channel, p_name, p_boot, p_version, p_applied, p_users);
  update rosterd.node set config_mac = p_config_mac, reads = p_reads where app = p_app and name = p_name and boot = p_boot;
$$;`;
