export const RETRIES_PER_FLUSH = 2;

/** Doubled with each failure. */
export const BACKOFF_BASE_MS = 1000;

/** 5 minutes: however long a server tells us to stay away, or often it failed, after this we ask again. */
export const MAX_WAIT_MS = 300_000;

/** Whether the same request may succeed later. */
export const isTransient = (status: number): boolean => /^[0-35]|408|42[59]/.test(status as unknown as string);

/**
 * Whether a refusal may be about the content. These 4xx never are: who asks (401, 402, 407, 451), where (404, 405, 410,
 * 421, 431), how fast or when (408, 425, 426, 429).
 */
export const isAboutContent = (status: unknown): boolean => !/4(0[124578]|10|2[1569]|31|51)/.test(status as string);

/** How long to wait after failure number `failure` (from 0): full jitter, so that a class does not come back in step. */
export const backoff = (failure: number, random = Math.random): number =>
  random() * Math.min(BACKOFF_BASE_MS * 2 ** failure, MAX_WAIT_MS);

/** Reads `Retry-After`, in seconds or as an HTTP date; returns ms, or undefined when it says nothing. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  const seconds = Number(header || NaN);
  const ms = seconds >= 0 ? seconds * 1000 : Date.parse(header as string) - now;
  return ms >= 0 ? ms : undefined;
}
