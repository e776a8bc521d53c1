/** Blocks: the commands, and the requests. Pure; throws RosterError `input`. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Actor } from '../base/actor.ts';
import { queryReader } from '../base/query-string.ts';
import { bodyObject, checked, presentFields } from '../base/reading.ts';
import { byOf, Id, idProblem, idsOf, NamedUser, refuse } from './reading.ts';

export interface BlockCommand {
  readonly kind: 'block' | 'unblock';
  readonly actor: Actor;
  readonly by: string;
  readonly target: string;
}

export const BlockBody = Type.Object({ blocked_user_id: Id, user_id: Type.Optional(Id), user: Type.Optional(NamedUser) });

export const BlocksQuery = Type.Object({ user_id: Type.Optional(Id) });

const blockCheck = Compile(BlockBody);

/** `GET /users/block`: the user whose blocks are listed. */
export const readBlocks = queryReader(BlocksQuery);

export function decodeBlock(body: unknown): { readonly target: string; readonly by?: string } {
  const sent = checked(blockCheck, presentFields(bodyObject(body)));
  refuse([idProblem('blocked_user_id', sent.blocked_user_id), ...idsOf(sent)]);
  return { target: sent.blocked_user_id, ...byOf(sent) };
}
