/**
 * What a test looks at: all events, and the webhooks that were delivered here.
 *
 * It keeps EM13–EM17 (../README.md).
 */
import { errorText, fieldErrors } from '../../../protocol/base/errors.ts';
import { DELIVERIES_MAX, DELIVERY_BODY_BYTES_MAX, type Delivery } from '../deliveries.ts';
import { EVENTS_PAGE_MAX, eventsPage } from '../events.ts';
import { until } from '../until.ts';
import { type ControlEndpoint, checkedName, endpoint, queryNumber } from './endpoint.ts';

const WAIT_MS_MAX = 60_000;

export const WATCHING_ENDPOINTS: readonly ControlEndpoint[] = [
  endpoint('GET', '/emulator/events', {
    about: 'all events after a position; with wait_ms, the answer waits for the first one',
    query: ['after', 'limit', 'wait_ms'],
    handle: async ({ app, query, gone }) => {
      const limit = queryNumber(query, 'limit', { fallback: EVENTS_PAGE_MAX, max: EVENTS_PAGE_MAX });
      const waitMs = queryNumber(query, 'wait_ms', { fallback: 0, max: WAIT_MS_MAX });
      const over = AbortSignal.any([gone, app.replaced]);
      return { body: { ...(await eventsPage(app.roster, { after: query.after, limit, waitMs }, over)) } };
    },
  }),
  endpoint('GET', '/emulator/webhooks', {
    about: 'webhooks that were delivered here; with wait_ms, the answer waits until there are `count`',
    query: ['receiver', 'count', 'wait_ms'],
    handle: async ({ app: { deliveries }, query: { receiver, ...query }, gone }) => {
      const count = queryNumber(query, 'count', { fallback: 1, max: DELIVERIES_MAX });
      const waitMs = queryNumber(query, 'wait_ms', { fallback: 0, max: WAIT_MS_MAX });
      const isThere = (): boolean => deliveries.of(receiver).length >= count;
      await until(isThere, (listener, signal) => deliveries.onDelivery(listener, signal), waitMs, gone);
      return { body: { webhooks: deliveries.of(receiver).map(deliveryView), dropped: deliveries.dropped } };
    },
  }),
  endpoint('DELETE', '/emulator/webhooks', {
    about: 'forgets them',
    handle: ({ app }) => ({ body: { removed: app.deliveries.clear() } }),
  }),
  endpoint('POST', '/emulator/webhooks/{receiver}', {
    about: 'the address to give a webhook: whatever arrives is kept and answered with 200',
    isRaw: true,
    bodyBytesMax: DELIVERY_BODY_BYTES_MAX,
    handle: ({ app, params: { receiver = '' }, headers, body }) => {
      checkedName('receiver', receiver);
      const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
      try {
        const { n } = app.deliveries.add({ receiver, atMs: app.clock.now(), headers, bytes });
        return { body: { n } };
      } catch (error) {
        throw fieldErrors('input', [{ path: 'body', message: `cannot be unpacked: ${errorText(error)}` }]);
      }
    },
  }),
];

function deliveryView({ n, receiver, atMs, headers, body, json, isSigned }: Delivery) {
  return { n, receiver, at: new Date(atMs).toISOString(), headers, body, json, signature_valid: isSigned };
}
