import { lockManager, withLock } from "./locks.js";
import { pause } from "./timers.js";

/** A tab that has the lease and is still in use gets at least this long to use it. */
export const HANDOVER_MS = 200;

/**
 * Browsers show a tab what another one wrote late, also to one that waited for the other's lock: in Chromium 1 ms as a
 * rule, 20 ms and more on a busy machine.
 */
export const SETTLE_MS = 100;

/**
 * The right to write what the tabs of a session share. A tab keeps it until it is hidden, gone, or until another one
 * insists: so where there is one tab, it need not wait when it writes.
 */
export interface Lease {
  isHeld(): boolean;
  /** Resolves when this tab has it, at once if it has it already; or when it cannot be had. */
  take(): Promise<void>;
  release(): void;
}

export function openLease(name: string): Lease {
  const locks = lockManager();
  let taking: Promise<void> | undefined;
  let end: (() => void) | undefined;

  const acquire = (locks: LockManager) =>
    new Promise<void>((resolve) => {
      let isOver = false;
      const hold = async () => {
        await pause(SETTLE_MS);
        if (isOver) return;
        const released = new Promise<void>((done) => {
          end = done;
        });
        resolve();
        await released;
      };
      const over = () => {
        isOver = true;
        taking = end = undefined;
        resolve();
      };
      withLock(name, HANDOVER_MS, (held) => (held ? hold() : locks.request(name, { steal: true }, hold))).then(
        over,
        over,
      );
    });

  return {
    isHeld: () => !locks || !!end,
    async take() {
      if (locks) taking ??= acquire(locks);
      await taking;
    },
    release: () => end?.(),
  };
}
