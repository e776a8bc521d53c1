/** What the node that delivers says of a hook to the other nodes, as a text. Pure. */
import { isObject, parseObject } from '../../../../protocol/base/json.ts';
import type { LineState } from '../view.ts';

export interface HookReport {
  /** Of the position. */
  readonly epoch: string;
  readonly state: LineState;
}

export function encodeReport(epoch: string, { position, isDown, lastError, lastSuccessMs }: LineState): string {
  return JSON.stringify({ epoch, position, isDown, lastError, lastSuccessMs });
}

/** What is missing, or not understood, is left out. */
export function parseReport(text: string): HookReport {
  const { epoch, position, isDown, lastError, lastSuccessMs } = parseObject(text) ?? {};
  const { reason, atMs } = isObject(lastError) ? lastError : {};
  return {
    epoch: typeof epoch === 'string' ? epoch : '',
    state: {
      position: typeof position === 'number' ? position : 0,
      isDown: isDown === true,
      lastError: typeof reason === 'string' && typeof atMs === 'number' ? { reason, atMs } : undefined,
      lastSuccessMs: typeof lastSuccessMs === 'number' ? lastSuccessMs : undefined,
    },
  };
}
