export const RETRIES_PER_FLUSH = 2;

/** Doubled with each failure. */
export const BACKOFF_BASE_MS = 1000;

/** However long a server tells us to stay away, or often it failed, after this we ask again. */
export const MAX_WAIT_MS = 5 * 60 * 1000;

/** Whether the same request may succeed later. */
export const isTransient = (status: number): boolean => /^[0-35]|408|42[59]/.test(`${status}`);

/**
 * Whether a refusal may be about the content. These 4xx never are: who asks (401, 402, 407, 451), where (404, 405, 410,
 * 421, 431), how fast or when (408, 425, 426, 429).
 */
export const isAboutContent = (status: unknown): boolean => !/4(0[124578]|10|2[1569]|31|51)/.test(`${status}`);

/** How long to wait after failure number `failure` (from 0): full jitter, so that a class does not come back in step. */
export const backoff = (failure: number, random = Math.random): number =>
  random() * Math.min(BACKOFF_BASE_MS * 2 ** failure, MAX_WAIT_MS);

/** Reads `Retry-After`, in seconds or as an HTTP date; returns ms, or undefined when it says nothing. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (!header) return undefined;
  const seconds = Number(header);
  const ms = seconds >= 0 ? seconds * 1000 : Date.parse(header) - now;
  return ms >= 0 ? ms : undefined;
}
