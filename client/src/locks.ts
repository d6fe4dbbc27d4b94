import { deadline } from "./timers.js";

/** Web Locks; undefined on a server, in old browsers and on pages without https. */
export const lockManager = (): LockManager | undefined =>
  typeof document === "undefined" ? undefined : navigator.locks;

/**
 * Runs `work(true)` while no other tab holds `name`; runs `work(false)` when that cannot be had within `patience` ms,
 * or `stop` is aborted first. Without Web Locks it runs `work(true)` at once. Rejects when `work` does, or when the
 * lock is stolen from it.
 */
export async function withLock<T>(
  name: string,
  patience: number,
  work: (held: boolean) => T | Promise<T>,
  stop?: AbortSignal,
): Promise<T> {
  const locks = lockManager();
  if (!locks) return work(true);
  const { signal, end } = deadline(patience, stop);
  let held = false;
  try {
    return await locks.request(name, { signal }, () => {
      held = true;
      end();
      return work(true);
    });
  } catch (error) {
    if (held) throw error;
    return work(false);
  } finally {
    end();
  }
}
