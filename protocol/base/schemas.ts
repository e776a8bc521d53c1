/** Pieces of schemas that many messages and facts share. Pure. */
/** A point in time in the log's form: microseconds since 1970. */
import Type from 'typebox';
import type { JsonObject } from './json.ts';

/** A point in time as the log holds it: microseconds since 1970. */
export const MicrosField = Type.Integer({ minimum: 0 });

/** A JSON object with any keys. */
export const AnyObject = Type.Unsafe<JsonObject>(Type.Object({}, { additionalProperties: true }));
