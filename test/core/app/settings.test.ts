/** Settings of the application, from the body of PATCH /app to what GET /app shows: AS1–AS8, CN11. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Check } from 'typebox/value';
import { decide } from '../../../daemon/core/decide.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import { decodeSettings } from '../../../protocol/app/settings-request.ts';
import { appIn, renderApp } from '../../../protocol/app/settings-view.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import { refusal, refusedFields } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

class SettingsBench extends RulesBench {
  #hooks = 0;

  patch(body: unknown, dialect: Dialect = 'v2'): void {
    this.run(decodeSettings(body, { dialect, newId: () => `hook-${++this.#hooks}` }));
  }

  /** As a client reads it: through JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what is shown; an assertion on another shape fails
  shown(dialect: Dialect = 'v2'): Record<string, any> {
    return JSON.parse(JSON.stringify(renderApp(this.directory.app, dialect)));
  }
}

const HOOK = { hook_type: 'webhook', webhook_url: 'https://hooks.example/a', event_types: ['user.updated'], enabled: true };

const EVERYTHING = {
  name: 'Clinic',
  organization: 'North',
  enforce_unique_usernames: 'team',
  multi_tenant_enabled: true,
  guest_user_creation_disabled: true,
  disable_auth_checks: true,
  disable_permissions_checks: true,
  permission_version: 'v1',
  revoke_tokens_issued_before: '2026-01-02T03:04:05.000006Z',
  user_search_disallowed_roles: ['admin'],
  grants: { user: ['search-user'], guest: [] },
  webhook_url: 'https://hooks.example/old',
  webhook_events: ['user.deleted'],
  event_hooks: [
    { ...HOOK, id: 'one', timeout_ms: 700, should_send_custom_events: true, failover_config: { a: [1] } },
    { hook_type: 'sqs', sqs_queue_url: 'https://sqs.example/q', sqs_secret: 'queue-secret', enabled: false },
  ],
  enable_hook_payload_compression: true,
  user_response_time_enabled: true,
  sqs_secret: 'app-secret',
  reminders_interval: 60,
  allowed_flag_reasons: ['spam'],
  file_upload_config: { size_limit: 0, allowed_file_extensions: ['.pdf'], blocked_mime_types: null },
  policies: { messaging: [{ name: 'p' }] },
  something_new: { deep: ['kept', { as: 'sent' }] },
};

/** What PHP makes of an answer that it reads into arrays and sends back. */
function throughPhp(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(throughPhp);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, throughPhp(item)] as const);
  return entries.length === 0 ? [] : Object.fromEntries(entries);
}

describe('settings', () => {
  it('AS1 the whole application sent back as it was shown changes nothing, whatever was set and whoever sends it', () => {
    for (const first of [{}, EVERYTHING]) {
      const bench = new SettingsBench();
      bench.patch(first);
      for (const dialect of ['v1', 'v2'] as const) {
        const shown = bench.shown(dialect);
        for (const back of [shown, throughPhp(shown), { ...shown, name: '', organization: '', channel_configs: null }]) {
          assert.deepEqual(
            bench.factsOf(() => bench.patch(back, dialect)),
            [],
            dialect,
          );
        }
        // A typed client drops what it does not know, such as how a hook writes its body.
        const hooks: Record<string, unknown>[] = bench.shown(dialect).event_hooks;
        const known = hooks.map(({ dialect: _, created_at: _c, updated_at: _u, ...hook }) => hook);
        assert.deepEqual(
          bench.factsOf(() => bench.patch({ event_hooks: known }, dialect === 'v1' ? 'v2' : 'v1')),
          [],
        );
      }
    }
  });

  it('AS2 what is not named stays; null leaves alone, empty lists, objects and texts clear, a null stamp clears', () => {
    const bench = new SettingsBench();
    bench.patch(EVERYTHING);
    const before = bench.directory.app;
    bench.patch({
      ...Object.fromEntries(Object.keys(EVERYTHING).map((name) => [name, null])),
      revoke_tokens_issued_before: EVERYTHING.revoke_tokens_issued_before,
    });
    bench.patch({ name: '', organization: '', permission_version: '', enforce_unique_usernames: '' });
    bench.patch({});
    assert.deepEqual(bench.directory.app, before);
    bench.patch({ event_hooks: [], webhook_events: [], user_search_disallowed_roles: [], grants: {}, webhook_url: '', sqs_secret: '' });
    bench.patch({
      allowed_flag_reasons: [],
      something_new: {},
      policies: [],
      revoke_tokens_issued_before: null,
      user_response_time_enabled: false,
    });
    const { event_hooks, webhook_events, user_search_disallowed_roles, grants, webhook_url, other } = bench.directory.app;
    assert.deepEqual([event_hooks, webhook_events, user_search_disallowed_roles, grants, webhook_url].filter(Boolean), []);
    assert.deepEqual(Object.keys(other ?? {}).sort(), ['file_upload_config', 'reminders_interval']);
    assert.equal('revoke_tokens_issued_before' in bench.shown(), false);
    bench.patch({ enforce_unique_usernames: 'no', multi_tenant_enabled: false, migrate_permissions_to_v2: true });
    assert.deepEqual([bench.shown().permission_version, bench.directory.app.permission_version], ['v2', undefined]);
  });

  it('AS10 enforce_unique_username is the same setting under another name, read and shown alike', () => {
    const bench = new SettingsBench();
    const both = () => [bench.shown().enforce_unique_username, bench.shown('v2').enforce_unique_usernames];
    bench.patch({ enforce_unique_username: 'team' });
    assert.deepEqual(
      [both(), bench.directory.app.enforce_unique_usernames, bench.directory.app.other],
      [['team', 'team'], 'team', undefined],
    );
    bench.patch({ enforce_unique_username: '' });
    bench.patch({ enforce_unique_username: null });
    assert.deepEqual(both(), ['team', 'team']);
    bench.patch({ ...bench.shown(), enforce_unique_usernames: 'app' });
    assert.deepEqual(both(), ['app', 'app']);
    bench.patch({ ...bench.shown(), enforce_unique_username: 'no' });
    assert.deepEqual(both(), ['no', 'no']);
    bench.patch({ enforce_unique_usernames: 'app', enforce_unique_username: 'app' });
    assert.deepEqual(both(), ['app', 'app']);
    const fields = refusedFields(() => bench.patch({ enforce_unique_usernames: 'no', enforce_unique_username: 'team', name: 'x' }));
    assert.deepEqual(
      fields.map(({ path }) => path),
      ['enforce_unique_username'],
    );
    assert.deepEqual([both(), bench.shown().name], [['app', 'app'], 'rosterd']);
    assert.deepEqual(
      refusedFields(() => bench.patch({ enforce_unique_username: 'yes' })).map(({ path }) => path),
      ['enforce_unique_username'],
    );
  });

  it('AS3 event_hooks replaces all: a hook that is named by its id keeps its times, one without gets an id', () => {
    const bench = new SettingsBench();
    bench.at('2026-01-01T00:00:00Z').patch({ event_hooks: [HOOK, { ...HOOK, id: 'two' }] });
    const [one, two] = bench.directory.app.event_hooks ?? [];
    assert.deepEqual([one?.id, two?.id, one?.dialect, one?.enabled, one?.product], ['hook-1', 'two', 'v2', true, 'all']);
    bench
      .at('2026-01-02T00:00:00Z')
      .patch({ event_hooks: [{ ...HOOK, id: 'two', enabled: false }, HOOK, { ...HOOK, id: 'hook-1' }] }, 'v1');
    const [changed, fresh, kept] = bench.directory.app.event_hooks ?? [];
    assert.deepEqual(kept, one);
    assert.equal(changed?.created_at, two?.created_at);
    assert.equal(changed?.updated_at, bench.now);
    assert.deepEqual([changed?.dialect, fresh?.id, fresh?.created_at, fresh?.dialect], ['v1', 'hook-2', bench.now, 'v1']);
    bench.patch({ event_hooks: [{ ...HOOK, dialect: 'v1' }] }, 'v2');
    assert.deepEqual(
      bench.directory.app.event_hooks?.map(({ id, dialect }) => [id, dialect]),
      [['hook-3', 'v1']],
    );
  });

  it('AS4 a hook needs a kind and, to be called, an http or https URL; every mistake is named', () => {
    const bad: readonly [object, string][] = [
      [{ hook_type: 'carrier pigeon' }, 'event_hooks[0].hook_type'],
      [{ webhook_url: HOOK.webhook_url }, 'event_hooks[0].hook_type'],
      [{ hook_type: 'webhook' }, 'event_hooks[0].webhook_url'],
      [{ ...HOOK, webhook_url: 'ftp://x/' }, 'event_hooks[0].webhook_url'],
      [{ ...HOOK, webhook_url: 'javascript:alert(1)' }, 'event_hooks[0].webhook_url'],
      [{ ...HOOK, webhook_url: 'no url' }, 'event_hooks[0].webhook_url'],
      [{ ...HOOK, event_types: ['user.updated', 5] }, 'event_hooks[0].event_types[1]'],
      [{ ...HOOK, product: 'everything' }, 'event_hooks[0].product'],
      [{ ...HOOK, timeout_ms: -1 }, 'event_hooks[0].timeout_ms'],
      [{ ...HOOK, timeout_ms: 60_001 }, 'event_hooks[0].timeout_ms'],
      [{ ...HOOK, enabled: 'yes' }, 'event_hooks[0].enabled'],
      [{ ...HOOK, id: '__proto__' }, 'event_hooks[0].id'],
      [{ ...HOOK, dialect: 'v3' }, 'event_hooks[0].dialect'],
      [{ ...HOOK, sns_key: 7 }, 'event_hooks[0].sns_key'],
      [{ ...HOOK, extra: { constructor: 1 } }, 'event_hooks[0].extra.constructor'],
      [{ ...HOOK, extra: 'x'.repeat(66_000) }, 'event_hooks'],
    ];
    for (const [hook, path] of bad) {
      const paths = refusedFields(() => decodeSettings({ event_hooks: [hook] }, { dialect: 'v2', newId: () => 'new' })).map(
        (field) => field.path,
      );
      assert.deepEqual(paths, [path], JSON.stringify(hook).slice(0, 80));
    }
    const twice = {
      event_hooks: [
        { ...HOOK, id: 'a' },
        { ...HOOK, id: 'a' },
      ],
    };
    assert.deepEqual(
      refusedFields(() => decodeSettings(twice, { dialect: 'v2', newId: () => 'new' })).map(({ path }) => path),
      ['event_hooks[1].id'],
    );
    const many = { event_hooks: Array.from({ length: 101 }, () => HOOK) };
    assert.equal(refusal(() => decodeSettings(many, { dialect: 'v2', newId: () => 'new' })).kind, 'input');
    const empty = { ...HOOK, id: '', event_types: null, timeout_ms: 0, sqs_key: '', callback: [], product: '' };
    const bench = new SettingsBench();
    bench.patch({ event_hooks: [empty] });
    assert.deepEqual(bench.directory.app.event_hooks?.[0]?.rest, { callback: {} });
    assert.equal(bench.directory.app.event_hooks?.[0]?.id, 'hook-1');
  });

  it('AS5 grants are by role: others keep theirs, null gives back the built-in ones, {} all of them; the role must exist', () => {
    const bench = new SettingsBench();
    bench.patch({ grants: { user: ['search-user', 'search-user'], guest: [] } });
    bench.patch({ grants: { admin: ['a-permission-of-another-service'] } });
    assert.deepEqual(bench.directory.app.grants, { user: ['search-user'], guest: [], admin: ['a-permission-of-another-service'] });
    bench.patch({ grants: { guest: null } });
    assert.deepEqual(bench.shown().grants, { user: ['search-user'], admin: ['a-permission-of-another-service'] });
    const error = refusal(() => bench.patch({ name: 'changed', grants: { captain: [], user: [], cook: ['x'] } }));
    assert.deepEqual(
      error.fields.map(({ path, message }) => [path, message]),
      [
        ['grants.captain', 'role "captain" does not exist'],
        ['grants.cook', 'role "cook" does not exist'],
      ],
    );
    assert.equal(bench.directory.app.name, undefined);
    bench.run({ kind: 'role-create', name: 'captain' });
    bench.patch({ grants: { captain: ['ban-user'] } });
    for (const grants of [{ user: ['no spaces'] }, { user: [''] }, { user: [5] }, { user: 'search-user' }, { 'a\nb': 7 }, 5, ['x']]) {
      assert.equal(refusal(() => bench.patch({ grants })).kind, 'input', JSON.stringify(grants));
    }
    assert.equal(refusal(() => bench.patch(JSON.parse('{"grants":{"__proto__":["x"]}}'))).kind, 'input');
    bench.patch({ grants: [] });
    assert.deepEqual(bench.shown().grants, {});
  });

  it('AS6 what has no meaning here is kept and repeated, of the published type, of plain names and 64 KiB together', () => {
    const bench = new SettingsBench();
    bench.patch({ sns_secret: 's', image_moderation_labels: ['a'], new_switch: true });
    bench.patch({ new_text: 'x', file_upload_config: { size_limit: 5 } });
    const shown: Record<string, unknown> = bench.shown();
    assert.deepEqual([shown.sns_secret, shown.image_moderation_labels, shown.new_switch, shown.new_text], ['s', ['a'], true, 'x']);
    assert.deepEqual(shown.file_upload_config, {
      ...{ allowed_file_extensions: [], blocked_file_extensions: [], allowed_mime_types: [], blocked_mime_types: [], size_limit: 5 },
    });
    const bad: readonly [string, string][] = [
      ['{"sqs_url":5}', 'sqs_url'],
      ['{"reminders_interval":"soon"}', 'reminders_interval'],
      ['{"reminders_interval":1e300}', 'reminders_interval'],
      ['{"moderation_enabled":1}', 'moderation_enabled'],
      ['{"allowed_flag_reasons":{}}', 'allowed_flag_reasons'],
      ['{"policies":{"a":5}}', 'policies.a'],
      ['{"file_upload_config":{"size_limit":"big"}}', 'file_upload_config.size_limit'],
      ['{"push_notifications":"v2"}', 'push_notifications'],
      ['{"__proto__":{"a":1}}', '__proto__'],
      ['{"mine":{"a":[{"prototype":1}]}}', 'mine.a[0].prototype'],
      [`{"mine":${'['.repeat(40)}${']'.repeat(40)}}`, `mine${'[0]'.repeat(31)}`],
      ['{"mine":1e999}', 'mine'],
    ];
    for (const [body, path] of bad) {
      assert.deepEqual(
        refusedFields(() => bench.patch(JSON.parse(body))).map((field) => field.path),
        [path],
        body.slice(0, 60),
      );
    }
    bench.patch({ a: 'x'.repeat(40_000) });
    const tooMuch = refusal(() => bench.patch({ b: 'x'.repeat(40_000) }));
    assert.match(tooMuch.message, /^b: .*65536 bytes together$/);
    bench.patch({ a: '', b: 'x'.repeat(40_000) });
    assert.equal(refusal(() => bench.patch('text')).kind, 'input');
  });

  it('AS7 what only the server says is ignored, and keys to push services are not kept', () => {
    const bench = new SettingsBench();
    const facts = bench.factsOf(() =>
      bench.patch({
        id: 5,
        placement: 'us',
        suspended: true,
        duration: '1ms',
        firebase_config: { credentials_json: 'key' },
        apn_config: {},
      }),
    );
    assert.deepEqual(facts, []);
    assert.deepEqual([bench.shown().id, bench.shown().suspended], [0, false]);
  });

  it('CN11 of two commands that require the same revision, the second one is refused, also when they are decided together', () => {
    const bench = new SettingsBench();
    const named = (name: string) => ({ kind: 'settings', set: { name }, ifRev: bench.directory.appSeq }) as const;
    const draft = new Draft(bench.directory);
    decide(draft, named('One'), bench.now, bench.policy);
    assert.deepEqual([draft.appSeq, refusal(() => decide(draft, named('Two'), bench.now, bench.policy)).kind], [1, 'precondition']);
    decide(draft, named('One'), bench.now, bench.policy);
    assert.equal(draft.facts.length, 1, 'what would change nothing is not refused');
  });

  it('AS8 every published field is shown with its type, also when nothing was set; times as each dialect writes them', () => {
    for (const body of [{}, EVERYTHING]) {
      const bench = new SettingsBench();
      bench.patch(body);
      for (const dialect of ['v1', 'v2'] as const) assert.ok(Check(appIn(dialect), bench.shown(dialect)), dialect);
      assert.equal(typeof bench.shown('v1').name, 'string');
      assert.notEqual(bench.shown('v1').name, '');
    }
    const bench = new SettingsBench();
    bench.patch(EVERYTHING);
    const { event_hooks, revoke_tokens_issued_before } = renderApp(bench.directory.app, 'v2');
    assert.equal(JSON.stringify(revoke_tokens_issued_before), '1767323045000006000');
    assert.match(JSON.stringify(event_hooks), /"created_at":\d{19},"updated_at":\d{19}/);
    assert.equal(bench.shown('v1').revoke_tokens_issued_before, EVERYTHING.revoke_tokens_issued_before);
  });
});
