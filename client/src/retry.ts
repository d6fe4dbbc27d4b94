export const RETRIES_PER_FLUSH = 2;

/** Doubled with each retry. */
export const BACKOFF_BASE_MS = 1000;

/** However long a server tells us to stay away, after this we ask again. */
export const MAX_RETRY_AFTER_MS = 5 * 60 * 1000;

/** Whether the same request may succeed later. */
export const isTransient = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/** How long to wait before retry number `retry` (from 0): full jitter, so that a class does not come back in step. */
export const backoff = (retry: number, random = Math.random): number => random() * BACKOFF_BASE_MS * 2 ** retry;

/** Reads `Retry-After`, in seconds or as an HTTP date; returns ms, or undefined when it says nothing. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (!header) return undefined;
  const seconds = Number(header);
  const ms = Number.isNaN(seconds) ? Date.parse(header) - now : seconds * 1000;
  return ms >= 0 ? ms : undefined;
}
