import { backoff, MAX_WAIT_MS, RETRIES_PER_FLUSH } from "./retry.js";
import { deadline } from "./timers.js";
import type { AnyResult } from "./transport.js";

/**
 * When to ask the server again. It goes by a clock that nobody sets; while a machine sleeps that one may stand still,
 * and a wait be longer by that: the page is shown again then, which ends it.
 */
export interface Pacing {
  /** Whether a flush on its own accord may begin: not soon after others that failed. */
  isDue(): boolean;
  /** Resolves when the next request may be made, or with `stop`. */
  wait(stop: AbortSignal): Promise<void>;
  /** Returns whether the same flush may try again. */
  failed(result: AnyResult): boolean;
  /** As if so many requests had failed, but long ago. Returns false while the server said to wait: that holds. */
  reset(failures: number): boolean;
}

export function openPacing(): Pacing {
  let failures = 0;
  let notBefore = 0;
  let calmUntil = 0;
  const now = () => performance.now();
  return {
    isDue: () => calmUntil <= now(),
    async wait(stop) {
      const ms = Math.max(notBefore, calmUntil) - now();
      if (ms > 0) await deadline(ms, stop).over;
    },
    failed({ afterMs = 0 }) {
      const mayTryAgain = failures < RETRIES_PER_FLUSH;
      notBefore = now() + Math.min(afterMs, MAX_WAIT_MS);
      calmUntil = (mayTryAgain ? notBefore : now()) + backoff(failures++);
      return mayTryAgain;
    },
    reset(count) {
      failures = count;
      calmUntil = 0;
      return notBefore <= now();
    },
  };
}
