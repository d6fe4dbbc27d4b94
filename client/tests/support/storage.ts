import type { StorageLike } from "../../src/index.js";

/** A storage of `quota` characters; it lists its keys in an order of its own, as browsers do: the newest first. */
export function memoryStorage(quota = 5_000_000): StorageLike & { quota: number; content: Map<string, string> } {
  const content = new Map<string, string>();
  const storage = {
    content,
    quota,
    get length() {
      return content.size;
    },
    key: (index: number) => [...content.keys()].reverse()[index] ?? null,
    getItem: (key: string) => content.get(key) ?? null,
    removeItem: (key: string) => void content.delete(key),
    setItem(key: string, value: string) {
      const others = [...content].filter(([other]) => other !== key).reduce((sum, [, text]) => sum + text.length, 0);
      if (others + value.length > storage.quota) throw new DOMException("full", "QuotaExceededError");
      content.set(key, value);
    },
  };
  return storage;
}

const denied = () => {
  throw new DOMException("denied", "SecurityError");
};

/** A storage that a browser's settings forbid. */
export const deniedStorage: StorageLike = {
  get length() {
    return denied();
  },
  key: denied,
  getItem: denied,
  setItem: denied,
  removeItem: denied,
};

type Fault = keyof StorageLike | undefined;

/** A storage of which one part throws. */
export function spoilt(storage: StorageLike, fault: Fault): StorageLike & { fault: Fault } {
  const state = { fault };
  return new Proxy(Object.assign(state, {}) as StorageLike & { fault: Fault }, {
    get(target, name: keyof StorageLike) {
      if (name === ("fault" as string)) return target.fault;
      if (name === target.fault) {
        if (name === "length") return denied();
        return denied;
      }
      const value = storage[name];
      return typeof value === "function" ? value.bind(storage) : value;
    },
  });
}
