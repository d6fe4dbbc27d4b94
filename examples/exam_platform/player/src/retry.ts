import { type ApiResult, isTransient } from "./api";

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 15_000; // somebody is looking at the page and waits for it

/** How long to wait after a failure that `failures` others came before: doubled each time, half of it random. */
export function delayMs(failures: number, random: () => number = Math.random): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures) * (0.5 + random() / 2);
}

/**
 * Repeats a call for as long as nobody answers it, and calls `onTrouble` after each failed try.
 * Returns the answer, a refusal included, or undefined once `signal` is aborted.
 */
export async function untilAnswered<T>(
  call: () => Promise<ApiResult<T>>,
  signal: AbortSignal,
  onTrouble: () => void = () => {},
): Promise<ApiResult<T> | undefined> {
  for (let failures = 0; !signal.aborted; failures++) {
    const result = await call();
    if (signal.aborted) return undefined;
    if (result.ok || !isTransient(result)) return result;
    onTrouble();
    await pause(delayMs(failures), signal);
  }
  return undefined;
}

/** Ends early when the browser is online again, or when `signal` is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    window.addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}
