/** WH4: which addresses a webhook must not reach, and that none of them can be set. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPrivateAddress, isPrivateHost } from '../../../daemon/jobs/hooks/private-addresses.ts';
import type { HookInput, SettingsCommand } from '../../../protocol/app/settings.ts';
import { checkHooks } from '../../../protocol/hooks/dead-letters.ts';

const PRIVATE: readonly string[] = [
  ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  ...['169.254.169.254', '169.254.0.1', '100.64.0.1', '100.100.100.200', '100.127.255.255', '168.63.129.16', '192.0.0.192'],
  ...['198.18.0.1', '198.19.255.255', '224.0.0.1', '239.1.2.3', '240.0.0.1', '255.255.255.255', '192.0.2.1', '203.0.113.9'],
  ...['::', '::1', '0:0:0:0:0:0:0:1', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fec0::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1'],
  ...['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a9fe:a9fe', '::FFFF:10.0.0.1', '::127.0.0.1', '::ffff:0:10.0.0.1'],
  ...['64:ff9b::7f00:1', '64:ff9b::10.0.0.1', '64:ff9b:1::8.8.8.8', '2002:7f00:1::', '2002:a00:1::1', '2001::1', '2001:db8::1', '100::1'],
];
const PUBLIC: readonly string[] = [
  ...['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.1', '100.63.255.255', '100.128.0.1', '126.255.255.255', '128.0.0.1'],
  ...['169.253.255.255', '169.255.0.1', '172.15.255.255', '172.32.0.1', '192.167.255.255', '192.169.0.1', '198.17.0.1', '198.20.0.1'],
  ...['223.255.255.255', '168.63.129.15', '2606:4700:4700::1111', '2a00:1450:4001:81b::200e', '::ffff:8.8.8.8', '64:ff9b::808:808'],
  ...['2002:808:808::1', 'not an address', 'example.com', '999.1.1.1', '1.2.3', ':::', '1::2::3', ''],
];

test('WH4 every address that is not public is refused, however it is written', () => {
  for (const address of PRIVATE) assert.equal(isPrivateAddress(address), true, address);
  for (const address of PUBLIC) assert.equal(isPrivateAddress(address), false, address);
});

test('WH4 a URL hides no address: every spelling of it is the same', () => {
  const hosts = [
    '127.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.0.0.1.',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '①②⑦.0.0.1',
    '169.254.169.254',
  ];
  for (const host of hosts) assert.equal(isPrivateHost(new URL(`http://${host}/`).hostname), true, host);
  assert.equal(isPrivateHost(new URL('http://8.8.8.8/').hostname), false);
});

test('WH4 a private address cannot be set; one that is there already does not stand in the way', () => {
  const hook = (webhook_url: string, id = 'a'): HookInput => ({ id, hook_type: 'webhook', enabled: true, event_types: [], webhook_url });
  const set = (url: string, id?: string): SettingsCommand => ({
    kind: 'settings',
    set: { event_hooks: [hook('https://ok.example/', 'b'), hook(url, id)] },
  });
  const isPublic = (hostname: string): boolean => !isPrivateHost(hostname);
  const app = { enforce_unique_usernames: 'no' } as const;
  const path = (act: () => void): string | undefined => {
    try {
      act();
    } catch (error) {
      return error instanceof Error && 'fields' in error && Array.isArray(error.fields) ? error.fields[0].path : String(error);
    }
    return undefined;
  };
  assert.equal(
    path(() => checkHooks(set('http://10.1.2.3/x'), app, isPublic)),
    'event_hooks[1].webhook_url',
  );
  assert.equal(
    path(() => checkHooks(set('http://[::1]:80/'), app, isPublic)),
    'event_hooks[1].webhook_url',
  );
  assert.equal(
    path(() => checkHooks({ kind: 'settings', set: { webhook_url: 'http://127.1/' } }, app, isPublic)),
    'webhook_url',
  );
  assert.equal(
    path(() => checkHooks(set('https://ok.example/', 'webhook_url'), app, isPublic)),
    'event_hooks[1].id',
  );
  assert.equal(
    path(() => checkHooks(set('http://10.1.2.3/x'), app, () => true)),
    undefined,
  );
  const stored = { ...hook('http://10.1.2.3/x'), dialect: 'v1', created_at: 0, updated_at: 0 } as const;
  assert.equal(
    path(() => checkHooks(set('http://10.1.2.3/x'), { ...app, event_hooks: [stored] }, isPublic)),
    undefined,
  );
});
