/**
 * Records as a snapshot keeps them: as the bytes that they are in memory, in blocks that name the shapes and codes that they and no block
 * before them have. Loading looks at the header of each record, and parses none. Pure.
 */
import { isObject } from '../../../../protocol/base/json.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import type { Tombstone } from '../record.ts';
import { checkBlock } from './block-check.ts';
import { BlockDamaged, type Marks, NO_MARKS, type PackedRecords } from './definitions.ts';
import { idKey, type RecordCodec } from './record-codec.ts';
import { Slab } from './slabs.ts';
import type { UserView } from './user-view.ts';

/** Bytes of a block: packing one takes a fraction of a millisecond. */
const BLOCK_BYTES = 1 << 15;
/** Definitions of a kind in one block. */
const DEFINED_MAX = 64;

/** The old form of a record that is not to be saved as it is now; it may be that there was none. */
export type OldForm = (user: UserView) => { readonly form: StoredUser | Tombstone | undefined } | undefined;

/** The records in blocks, as they are when their turn comes, but for those that have an old form. `count`: about so many of them. */
export function* packedRecords(
  codec: RecordCodec,
  users: Iterable<UserView>,
  count: number,
  oldForm: OldForm,
): Generator<PackedRecords, void> {
  let block = new Slab(0, 2 * BLOCK_BYTES);
  let known: Marks = NO_MARKS;
  const blockWith = (marks: Marks, end: number): PackedRecords => {
    const records = known === NO_MARKS ? { records: count } : undefined;
    const packed = { packed: codec.defined(known, marks), bytes: block.bytes.subarray(0, end), ...records };
    known = marks;
    return packed;
  };
  function* taken(): Generator<PackedRecords, void> {
    const marks = codec.marks();
    for (let next = upTo(known, marks); !isSame(next, marks); next = upTo(known, marks)) yield blockWith(next, 0);
    yield blockWith(marks, block.used);
    block.used = 0;
  }
  for (const user of users) {
    const old = oldForm(user);
    if (old !== undefined && old.form === undefined) continue;
    const packed = old?.form === undefined ? undefined : codec.pack(old.form, idKey(old.form.id));
    const size = packed?.size ?? codec.sizeOf(user.slab, user.at);
    if (block.used > 0 && block.used + size > BLOCK_BYTES) yield* taken();
    if (size > block.bytes.length) block = new Slab(0, size);
    if (packed === undefined) user.slab.bytes.copy(block.bytes, block.used, user.at, user.at + size);
    else codec.write(packed, block, block.used, 0);
    block.used += size;
  }
  if (block.used > 0) yield* taken();
}

/** Takes the definitions of a block. Throws BlockDamaged unless its bytes are records that name nothing else. */
export function takeBlock(codec: RecordCodec, { packed, bytes }: PackedRecords): void {
  if (!isObject(packed) || !(bytes instanceof Uint8Array)) throw new BlockDamaged('has a block without records');
  codec.define(packed);
  checkBlock(bytes, codec);
}

function upTo(from: Marks, to: Marks): Marks {
  const next = (kind: keyof Marks): number => Math.min(from[kind] + DEFINED_MAX, to[kind]);
  return { shapes: next('shapes'), customShapes: next('customShapes'), roles: next('roles'), teams: next('teams') };
}

function isSame(one: Marks, other: Marks): boolean {
  const { shapes, customShapes, roles, teams } = other;
  return one.shapes === shapes && one.customShapes === customShapes && one.roles === roles && one.teams === teams;
}
