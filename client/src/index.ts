export { createTelemetryClient, type TelemetryClient, type TelemetryOptions } from "./client.js";
export type { DropReason, EventType, Payloads, Source } from "./events.js";
export type { Problem } from "./notices.js";
export type { StorageLike } from "./store.js";
export { fetchTransport, type Reason, type SendRequest, type SendResult, type Transport } from "./transport.js";
