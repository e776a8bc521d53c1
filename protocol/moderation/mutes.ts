/** Mutes: the commands, and the requests that make and lift them. Pure; throws RosterError `input`. */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Actor } from '../base/actor.ts';
import { itemPath } from '../base/field-path.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked, type Dialect, presentFields } from '../base/reading.ts';
import { byOf, Id, idProblem, idsOf, Minutes, minutesOf, NamedUser, refuse, type Said } from './reading.ts';

/** The outcome names targets that do not exist in `missing`; when none exists, the command is refused. */
export interface MuteCommand {
  readonly kind: 'mute' | 'unmute';
  readonly actor: Actor;
  /** The user that mutes. */
  readonly by: string;
  readonly targets: readonly string[];
  readonly minutes?: number;
}

const MuteFields = {
  target_ids: Type.Optional(Type.Array(Type.String(), { maxItems: LIMITS.batchUsers })),
  user_id: Type.Optional(Id),
  user: Type.Optional(NamedUser),
} as const;

export const MuteBodyV2 = Type.Object({ ...MuteFields, timeout: Type.Optional(Minutes) });

export const MuteBodyV1 = Type.Object({ ...MuteBodyV2.properties, target_id: Type.Optional(Id) });

export const UnmuteBodyV2 = Type.Object(MuteFields);

export const UnmuteBodyV1 = Type.Object({ ...MuteFields, target_id: Type.Optional(Id) });

const CHECKS = {
  mute: { v1: Compile(MuteBodyV1), v2: Compile(MuteBodyV2) },
  unmute: { v1: Compile(UnmuteBodyV1), v2: Compile(UnmuteBodyV2) },
} as const;

export interface MuteRequest extends Omit<Said<MuteCommand>, 'by'> {
  /** The user that mutes, if named. */
  readonly by?: string;
  /** The target in the field `target_id`. */
  readonly single?: string;
}

/** v1 may name one target in the field `target_id`. */
export function decodeMute(kind: MuteCommand['kind'], dialect: Dialect, body: unknown): MuteRequest {
  const sent: Static<typeof MuteBodyV1> = checked(CHECKS[kind][dialect], presentFields(bodyObject(body)));
  const single = dialect === 'v1' ? sent.target_id : undefined;
  const ids = sent.target_ids ?? [];
  const problems = [
    ...ids.map((id, index) => idProblem(itemPath('target_ids', index), id)),
    idProblem('target_id', single),
    ...idsOf(sent),
  ];
  const targets = single === undefined ? ids : [single, ...ids];
  if (targets.length === 0) problems.push({ path: 'target_ids', message: 'must not be empty' });
  refuse(problems);
  return {
    targets,
    ...(single === undefined ? undefined : { single }),
    ...byOf(sent),
    ...(kind === 'mute' ? minutesOf(sent.timeout) : undefined),
  };
}
