export {
  createTelemetryClient,
  type DropReason,
  type TelemetryClient,
  type TelemetryOptions,
} from "./client.js";
export type { EventType, Payloads, Source } from "./events.js";
export type { StorageLike } from "./store.js";
export { fetchTransport, type SendRequest, type SendResult, type Transport } from "./transport.js";
