import { type EventType, MAX_PAYLOAD_BYTES } from "./events.js";
import { isUuid } from "./uuid.js";

export interface SentEvent {
  event_type: EventType;
  session_id: string;
  question_id?: string;
  seq: number;
  client_ts: string;
  payload?: object;
}

export const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/**
 * Returns an event as JSON, which later changes of `payload` do not reach, or the reason why there can be none. What is
 * returned is bounded as a whole: every other part has a form, and with it a length.
 */
export function draft(
  event_type: EventType,
  payload: object | undefined,
  question_id: string | undefined,
  session_id: string,
  seq: number,
): string {
  try {
    const json = storable(JSON.stringify(payload ?? {}));
    const isValid = /^[A-Z_]{1,40}$/.test(event_type) && isUuid(question_id ?? session_id);
    if (!isValid || payload === null || json[0] !== "{") return "invalid";
    if (bytesOf(json) > MAX_PAYLOAD_BYTES) return "too_large";
    return JSON.stringify({
      event_type,
      session_id,
      question_id,
      seq,
      client_ts: new Date(),
      payload: payload && JSON.parse(json),
    });
  } catch {
    return "invalid"; // cyclic, a BigInt, a toJSON that throws
  }
}

/** PostgreSQL keeps no U+0000, and half a surrogate pair is no character: JSON.stringify escapes both. */
const storable = (json: string): string =>
  json.replace(/(\\\\)|\\u(0000|d...)/g, (_, backslash = "\\ufffd") => backslash);
