import type { ApiResult } from "./api";
import { isTransient } from "./api";

export const MAX_FLUSH_WAIT_MS = 1_000; // telemetry may be late; the candidate's submit may not

export type HandIn = "closed" | "unsaved" | "unreachable";

interface Steps {
  settle: () => Promise<boolean>;
  flush: () => Promise<void>;
  submit: () => Promise<ApiResult<unknown>>;
}

/**
 * Saves the last answers, sends the events so far, and submits. "closed" means that the service has decided, be it by a
 * refusal (the time was up): ask it for the session. The other two leave everything as it was, to be tried again.
 */
export async function handIn({ settle, flush, submit }: Steps): Promise<HandIn> {
  const flushed = atMost(flush(), MAX_FLUSH_WAIT_MS);
  if (!(await settle())) return "unsaved";
  await flushed;
  const result = await submit();
  return result.ok || !isTransient(result) ? "closed" : "unreachable";
}

function atMost(work: Promise<void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void work.finally(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
