import { quietly } from "./quietly.js";

/** What is used of a `Storage`; spelled out, for Node's types before 22 do not know that name. */
export interface StorageLike {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/**
 * Texts under keys; none of it throws. What `storage` refuses to take is kept in memory, and what it refuses to give
 * up does not show any more.
 */
export interface Store {
  put(key: string, text: string): void;
  get(key: string): string | null | undefined;
  remove(key: string): void;
  /** Sorted. */
  keys(prefix: string): string[];
}

// Shared by the clients of a page: one that takes another's place sends what that one had to leave in memory.
const memoriesOfPage = /* @__PURE__ */ new WeakMap<object, Map<string, string>>();

export function openStore(storage: StorageLike | undefined): Store {
  const place = quietly(() => storage ?? document) ?? {};
  const memory = memoriesOfPage.get(place) ?? new Map<string, string>(); // an empty text is none
  memoriesOfPage.set(place, memory);

  const there = storage as StorageLike & ArrayLike<unknown>; // where it is not, what throws is caught
  const stored = () => Array.from(there, (_, index) => there.key(index) ?? "");

  return {
    put: (key, text) =>
      quietly<unknown>(
        () => there.setItem(key, text),
        () => memory.set(key, text),
      ),
    get: (key) => memory.get(key) ?? quietly(() => there.getItem(key)),
    remove(key) {
      memory.delete(key);
      quietly<unknown>(
        () => storage?.removeItem(key),
        () => memory.set(key, ""),
      );
    },
    keys: (prefix) =>
      [...memory.keys(), ...(quietly(stored) ?? [])]
        .filter((key) => key.startsWith(prefix) && memory.get(key) !== "")
        .sort(),
  };
}

/** Returns localStorage, or undefined where there is none or it is denied. */
export const defaultStorage = (): StorageLike | undefined => quietly(() => document && localStorage);
