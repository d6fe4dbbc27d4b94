import { type EventType, MAX_PAYLOAD_BYTES } from "./events.js";

/** An event as it happened; it gets its number when it is written to the queue. */
export interface FreshEvent {
  event_type: EventType;
  client_ts: string;
  question_id?: string;
  payload?: object;
}

export interface QueuedEvent extends FreshEvent {
  seq: number;
}

const encoder = /* @__PURE__ */ new TextEncoder();

export const bytesOf = (text: string): number => encoder.encode(text).length;

/** Returns a copy that later changes of `payload` do not reach, or the reason why there can be none. */
export function draft(
  type: EventType,
  payload: object | undefined,
  questionId: string | undefined,
  now: Date,
): FreshEvent | "invalid" | "too_large" {
  try {
    const json = payload === undefined ? "{}" : JSON.stringify(payload);
    if (json[0] !== "{") return "invalid";
    if (bytesOf(json) > MAX_PAYLOAD_BYTES) return "too_large";
    const event = { event_type: type, client_ts: now.toISOString(), question_id: questionId, payload };
    return JSON.parse(JSON.stringify(event));
  } catch {
    return "invalid"; // cyclic, a BigInt, a toJSON that throws
  }
}
