import { bytesOf, type QueuedEvent } from "./event.js";
import { MAX_EVENTS_PER_BATCH, type Source } from "./events.js";

/** What one request takes along. */
export interface Batch {
  events: QueuedEvent[];
  body: string;
  /** At least the length of the body in UTF-8. */
  bytes: number;
}

/** Cuts the head of a queue: at most MAX_EVENTS_PER_BATCH events, the body at most `maxBytes`. */
export function headOf(queue: QueuedEvent[], sessionId: string, source: Source, maxBytes = Infinity): Batch {
  const [head, tail] = [`{"source":${JSON.stringify(source)},"events":[`, "]}"];
  const texts: string[] = [];
  let bytes = bytesOf(head + tail);
  for (const event of queue.slice(0, MAX_EVENTS_PER_BATCH)) {
    const text = JSON.stringify({ ...event, session_id: sessionId });
    bytes += bytesOf(text) + 1;
    if (bytes > maxBytes) break;
    texts.push(text);
  }
  return { events: queue.slice(0, texts.length), body: head + texts.join(",") + tail, bytes };
}
