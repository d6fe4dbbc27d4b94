import type { Drain } from "./drain.js";
import { readEntries, SEQ_DIGITS, STREAM_KEYS } from "./entries.js";
import { takeOverLegacy } from "./legacy.js";
import type { Notices } from "./notices.js";
import type { Store } from "./store.js";
import { MAX_QUEUED_EVENTS } from "./stream.js";

/** 30 days: after this, nobody who may send them comes back to the events of another session. */
export const MAX_AGE_MS = 2_592_000_000;

/**
 * Sends what other pages left in this browser, as long as the server takes events. Resolves with whether it still does.
 * A page that lives sends its own soon: so a stream counts as left that waited at the look before, or when this page was
 * loaded. If it was not left after all, its events are sent twice, and stored once.
 */
export type SendLeftovers = (isTaking: boolean, signal: AbortSignal) => Promise<boolean>;

export function openLeftovers(store: Store, own: string, drain: Drain["drain"], notices: Notices): SendLeftovers {
  const stuck = new Set<string>();
  const find = () => store.keys(STREAM_KEYS).filter((key) => !key.startsWith(own));

  takeOverLegacy(store);
  let seen = find();
  return async (isTaking, signal) => {
    const before = seen;
    seen = find();
    for (const prefix of new Set(seen.map((key) => key.slice(0, -SEQ_DIGITS)))) {
      const keys = seen.filter((key) => key.startsWith(prefix));
      if (!isTaking || stuck.has(prefix) || !before.includes(keys[0] as string)) continue;
      const queue = readEntries(store, keys);
      const obstacle = await drain(queue, signal);
      isTaking = obstacle !== "later";
      if (obstacle !== "stuck") continue;
      stuck.add(prefix);
      if (prefix.startsWith(own.slice(0, -37)) || Date.now() - Date.parse(queue.leftAt) < MAX_AGE_MS) continue;
      notices.forget(queue, queue.events, "expired");
    }
    // The bound holds for what all pages left together, and the oldest goes.
    const over = readEntries(store, find().slice(0, -MAX_QUEUED_EVENTS));
    notices.forget(over, over.events, "queue_full");
    return isTaking;
  };
}
