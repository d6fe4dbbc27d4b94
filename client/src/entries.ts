import type { Head, Queue } from "./queue.js";
import { quietly } from "./quietly.js";
import type { Store } from "./store.js";

/**
 * Each event has a key of its own, `attemptlog-stream:<session>:<stream>:<number>`, which is written once and removed
 * once: so pages that share a storage cannot write over each other's events, however late one sees what another wrote.
 * Clients before streams take what begins with `attemptlog:` for their own, and remove it.
 */
export const STREAM_KEYS = "attemptlog-stream:";

/** What the keys of a stream begin with. */
export const prefixOf = (session: string, stream = ""): string => `${STREAM_KEYS}${session}:${stream}:`;

/** At the end of a key. */
export const SEQ_DIGITS = 10;

/** Writes an event down, with what its batch will say; JSON holds no line break of its own. */
export function writeEntry(store: Store, prefix: string, seq: number, json: string, head: Head): string {
  const key = prefix + (1e9 + seq); // sorted as texts, keys are in the order of seq
  store.put(key, `${json}\n${JSON.stringify(head)}`);
  return key;
}

/** Opens what was written down under the keys of one stream. What is damaged is forgotten, not what cannot be read now. */
export function readEntries(store: Store, keys: string[]): Queue & { leftAt: string } {
  const queue: Queue & { leftAt: string } = { head: {}, events: [], accepted: 0, leftAt: "" };
  for (const key of keys) {
    const texts = store.get(key)?.split("\n") ?? [];
    const [event, head] = quietly(() => texts.map((text) => JSON.parse(text))) ?? [];
    Object.assign(queue.head, head);
    if (event?.seq) {
      queue.events.push({ key, text: texts[0] as string });
      queue.leftAt = event.client_ts;
    } else if (texts.length) store.remove(key);
  }
  queue.head.stream_id = keys[0]?.split(":")[2] || undefined;
  return queue;
}
