import { bytesOf } from "./event.js";
import type { Queue, Waiting } from "./queue.js";

/** What one request takes along. */
export interface Batch {
  events: Waiting[];
  body: string;
  /** Of the body, as UTF-8. */
  bytes: number;
}

/** Of a batch, as far as is known what passes. */
export interface Limits {
  events: number;
  bytes: number;
}

/**
 * Cuts a batch off a queue, as large as may be when it is halved until it fits; one event goes along, however large.
 * A suspect goes alone, behind the others.
 */
export function cut(queue: Queue, limits: Limits): Batch {
  const start = JSON.stringify({ ...queue.head, sent_at: new Date() }).slice(0, -1);
  const ready = queue.events.filter((event) => !event.isDeparting);
  const fresh = ready.filter((event) => !event.isSuspect);
  let events = fresh[0] ? fresh.slice(0, limits.events) : ready.slice(0, 1);
  for (;;) {
    const body = `${start},"events":[${events.map(({ text }) => text)}]}`;
    const bytes = bytesOf(body);
    if (bytes <= limits.bytes || !events[1]) return { events, body, bytes };
    events = events.slice(0, events.length / 2);
  }
}
