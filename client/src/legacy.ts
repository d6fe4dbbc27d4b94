import { prefixOf, writeEntry } from "./entries.js";
import { quietly } from "./quietly.js";
import type { Store } from "./store.js";

/**
 * Makes entries of what clients before streams left under `attemptlog:<session>`, and behind another colon what they
 * set aside. Events of the former keep their numbers and have no stream. The latter have no number yet: they become a
 * stream, whose id comes from the key, so that whoever does this does the same.
 */
export function takeOverLegacy(store: Store): void {
  for (const key of store.keys("attemptlog:")) quietly(() => takeOver(store, key));
}

function takeOver(store: Store, key: string): void {
  const [, session, aside] = key.split(":") as [string, string, string?];
  const state = JSON.parse(store.get(key) as string);
  store.remove(key);
  const stream = aside && session.slice(0, 24) + aside.slice(2).padStart(12, "0").slice(-12);
  for (const event of state.queue) {
    writeEntry(store, prefixOf(session, stream), event.seq, JSON.stringify({ ...event, session_id: session }), {
      source: "web",
    });
  }
}
