/** DK1, DK2: what callers are told of a disk that fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diskReason, isNoSpace, naming } from '../../store/disk-errors.ts';

const failure = (code: string): Error => Object.assign(new Error(`${code}: the disk, write`), { code });

test('DK1 a full disk is told from every other failure, and the reason names no file', async () => {
  assert.deepEqual(
    ['ENOSPC', 'EDQUOT', 'EIO'].map((code) => isNoSpace(failure(code))),
    [true, true, false],
  );
  assert.deepEqual([isNoSpace({ code: 'ENOSPC' }), isNoSpace(new Error('ENOSPC'))], [false, false]);
  assert.equal(diskReason(failure('ENOSPC')), 'no space is left on the disk');
  const named = await naming('/secret/place', Promise.reject(failure('EIO'))).catch((error: unknown) => error);
  assert.ok(named instanceof Error && 'path' in named);
  assert.deepEqual([named.message, named.path], ["EIO: the disk, write '/secret/place'", '/secret/place']);
  assert.equal(diskReason(named), 'EIO: the disk, write');
  assert.equal(diskReason('plain'), 'plain');
  assert.equal(await naming('/p', Promise.resolve(7)), 7);
  const once = await naming('/other', Promise.reject(named)).catch((error: unknown) => error);
  assert.equal(String(once), String(named), 'a file that is named already stays');
});
