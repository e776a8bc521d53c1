/** CO52: the form of the resume tool as a call, and its figures in words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hoursText, type ResumeForm, resumeCall, settingText } from '../../../daemon/console/tools/resume-question.ts';

const FORM: ResumeForm = { position: ' e:7 ', user: '', interest: 'all', text: '', presence: false, conflate: false };

test('CO52 the form becomes a question as a connect would put it', () => {
  const resume = { epoch: 'e', seq: 7 };
  const body = (form: Partial<ResumeForm>): unknown => resumeCall({ ...FORM, ...form }).body;
  assert.deepEqual(resumeCall(FORM), {
    method: 'POST',
    path: '/api/v2/debug/resume',
    body: { resume, subs: [{ sub: 'asked', all: true }] },
  });
  assert.deepEqual(body({ interest: 'ids', text: 'ann, bob\ncem', presence: true }), {
    resume,
    subs: [{ sub: 'asked', ids: ['ann', 'bob', 'cem'], presence: true }],
  });
  assert.deepEqual(body({ interest: 'filter', text: '{"role":"admin"}', user: ' ann ', conflate: true }), {
    resume,
    subs: [{ sub: 'asked', filter: { role: 'admin' } }],
    conflate: true,
    user_id: 'ann',
  });
});

test('CO52 what is wrong with the form is said before anybody is asked', () => {
  const refused = (form: Partial<ResumeForm>, reason: RegExp): void => assert.throws(() => resumeCall({ ...FORM, ...form }), reason);
  refused({ position: '7' }, /an epoch, a colon and a number/);
  refused({ interest: 'ids', text: ' , ' }, /at least one id/);
  refused({ interest: 'teams' }, /at least one team/);
  refused({ interest: 'filter', text: '{' }, /must be JSON/);
});

test('CO52 sizes and spans are said in the unit that one would use', () => {
  assert.deepEqual([0.001, 0.5, 24, 168].map(hoursText), ['4 seconds', '30 minutes', '24.0 hours', '7.0 days']);
  assert.deepEqual(
    [settingText('retention_bytes', 5e6), settingText('retention_age_h', 168), settingText('retention_changes', 4_000)],
    ['5.0 MB', '168 hours', '4,000 changes'],
  );
});
