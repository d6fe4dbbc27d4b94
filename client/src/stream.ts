import { prefixOf, writeEntry } from "./entries.js";
import { draft } from "./event.js";
import type { EventType, Source } from "./events.js";
import type { Notices } from "./notices.js";
import type { Queue } from "./queue.js";
import type { Store } from "./store.js";
import { newId } from "./uuid.js";

/** An exam makes some hundred events. */
export const MAX_QUEUED_EVENTS = 1000;

/** Browsers give an origin about 5 million characters, which the page needs too. */
export const MAX_QUEUED_CHARACTERS = 1_000_000;

/** What one load of a page tracks in a session: numbered from 1 without a gap, and written down at once. */
export interface Stream {
  /** What its keys in the storage begin with. */
  prefix: string;
  queue: Queue;
  /** Takes an event, unless there can be none: then no number is spent. */
  add(type: EventType, payload?: object, questionId?: string): void;
}

export function openStream(store: Store, session: string, source: Source, notices: Notices): Stream {
  const stream_id = newId(Date.now());
  const prefix = prefixOf(session, stream_id);
  const queue: Queue = { head: { source, stream_id }, events: [], accepted: 0 };
  let next = 1;

  return {
    prefix,
    queue,
    add(type, payload, questionId) {
      const text = draft(type, payload, questionId, session, next);
      if (text === "invalid" || text === "too_large") return notices.forget(queue, [], text, 1);
      // The oldest go: a missing seq in the middle shows on the server, missing ones at the end would not.
      while (
        queue.events.length >= MAX_QUEUED_EVENTS ||
        queue.events.reduce((sum, { text }) => sum + text.length, 0) > MAX_QUEUED_CHARACTERS
      ) {
        notices.forget(queue, queue.events.slice(0, 1), "queue_full");
      }
      queue.events.push({ key: writeEntry(store, prefix, next++, text, queue.head), text });
    },
  };
}
