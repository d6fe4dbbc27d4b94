import { attempt } from "./attempt.js";
import type { FreshEvent } from "./event.js";
import { append, merge, parseState, type State } from "./state.js";

export type StorageLike = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

/** None of it throws. */
export interface Store {
  read(): State;
  write(state: State): void;
  /** Keeps events that have no number yet; returns whether there was room. */
  setAside(events: FreshEvent[]): boolean;
  /** Returns what was set aside, by any tab, oldest first, and forgets it. */
  takeSetAside(): FreshEvent[];
  isEmpty(): boolean;
}

export const KEY_PREFIX = "attemptlog:";

/** After this, nobody comes back to a session to send what was left. */
export const MAX_AGE_MS = 30 * 24 * 3600 * 1000;

// Shared by the clients of a page: one that takes another's place has to go on counting where it stopped.
const memoryOfPage = /* @__PURE__ */ new Map<string, string>();

/** Keeps a state under `key` in `storage`; what `storage` refuses to take is kept in memory until it takes it again. */
export function openStore(storage: StorageLike | undefined, key: string): Store {
  const memory = typeof document === "undefined" ? new Map<string, string>() : memoryOfPage;

  const put = (where: string, state: State) =>
    attempt(() => {
      storage?.setItem(where, JSON.stringify(state));
      return !!storage;
    }, false);

  const read = () => {
    const text = memory.get(key);
    const stored = readFrom(storage, key);
    return text ? merge(parseState(text), stored) : stored;
  };

  const write = (state: State) => {
    memory.delete(key);
    if (put(key, state)) return;
    memory.set(key, JSON.stringify(state));
    put(key, { ...state, queue: [] }); // less than before, so it may fit: after a reload the numbers go on
  };

  const setAside = (events: FreshEvent[]) => {
    const state = parseState();
    append(state, events, Date.now()); // numbered anew when it is taken
    return !events.length || put(`${key}:${Math.random()}`, state);
  };

  const asides = () => keysOf(storage, `${key}:`);

  return {
    read,
    write,
    setAside,
    takeSetAside: () =>
      asides()
        .map((aside) => take(storage, aside))
        .sort((a, b) => a.at - b.at) // storage lists its keys in any order
        .flatMap(({ queue }) => queue),
    isEmpty: () => !read().queue.length && !asides().length,
  };
}

/** Returns localStorage, or undefined where there is none or it is denied. */
export const defaultStorage = (): StorageLike | undefined =>
  attempt(() => (typeof document === "undefined" ? undefined : localStorage), undefined);

/** Removes what sessions other than `own` left behind longer than MAX_AGE_MS ago; returns how many events that were. */
export const prune = (storage: StorageLike | undefined, own: string, now: number): number =>
  keysOf(storage, KEY_PREFIX)
    .filter((key) => !key.startsWith(own) && !(now - readFrom(storage, key).at < MAX_AGE_MS))
    .flatMap((key) => take(storage, key).queue).length;

const keysOf = (storage: StorageLike | undefined, prefix: string): string[] =>
  attempt(() => Array.from({ length: storage?.length ?? 0 }, (_, index) => storage?.key(index) ?? ""), []).filter(
    (key) => key.startsWith(prefix),
  );

const readFrom = (storage: StorageLike | undefined, key: string): State =>
  parseState(attempt(() => storage?.getItem(key), undefined));

function take(storage: StorageLike | undefined, key: string): State {
  const state = readFrom(storage, key);
  storage?.removeItem(key);
  return state;
}
