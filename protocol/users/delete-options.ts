/** The options of a delete, deactivate or reactivate for the services that own messages, conversations and calls. */
import Type, { type Static } from 'typebox';

export const DeleteMode = Type.Union([Type.Literal('soft'), Type.Literal('pruning'), Type.Literal('hard')]);
export type DeleteMode = Static<typeof DeleteMode>;

const OwnedMode = Type.Union([Type.Literal('soft'), Type.Literal('hard')]);

/** Validated here and carried on the event; rosterd itself owns no messages, conversations, calls or files. */
export const DeleteOptions = Type.Object({
  messages: Type.Optional(DeleteMode),
  conversations: Type.Optional(OwnedMode),
  calls: Type.Optional(OwnedMode),
  files: Type.Optional(Type.Boolean()),
  mark_messages_deleted: Type.Optional(Type.Boolean()),
  delete_conversation_channels: Type.Optional(Type.Boolean()),
  new_channel_owner_id: Type.Optional(Type.String()),
  new_call_owner_id: Type.Optional(Type.String()),
});
export type DeleteOptions = Static<typeof DeleteOptions>;

/** The options that a hard delete requires: nothing of the user may stay. */
export const HARD_OPTIONS = { messages: 'hard', conversations: 'hard' } as const satisfies DeleteOptions;

export const DeactivateOptions = Type.Object({
  mark_messages_deleted: Type.Optional(Type.Boolean()),
  mark_channels_deleted: Type.Optional(Type.Boolean()),
  restore_messages: Type.Optional(Type.Boolean()),
  restore_channels: Type.Optional(Type.Boolean()),
  created_by_id: Type.Optional(Type.String()),
});
export type DeactivateOptions = Static<typeof DeactivateOptions>;
