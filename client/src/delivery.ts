import type { Batch } from "./batch.js";
import { deadline } from "./timers.js";
import { NO_ANSWER, type SendResult, type Transport } from "./transport.js";

/** Longer than the gateway takes over anything; it gives Kafka 5 s. */
export const REQUEST_TIMEOUT_MS = 15_000;

/** Returns a token, at once or later; undefined where the cookie is to go along. */
export type Token = () => string | undefined | Promise<string | undefined>;

/**
 * Sends a batch once; resolves whatever `transport` does, at the latest when `stop` is aborted or time is up. With
 * `keepalive` the request is made before it returns. `begins` says that nothing was accepted before in its flush.
 */
export type Deliver = (batch: Batch, keepalive: boolean, begins: boolean, stop?: AbortSignal) => Promise<SendResult>;

export function deliverTo(endpoint: string, transport: Transport, ask?: Token): Deliver {
  let token: string | undefined;
  let failed = 0; // requests, since one was accepted that told of those before

  /** Resolves with whether there is one, or none is needed; a page that goes cannot wait for that. */
  const renew = async () => {
    try {
      const asked = ask?.();
      token = typeof asked === "object" ? await asked : asked;
      return true;
    } catch {
      return false;
    }
  };
  void renew(); // the page may go before the first request

  return async ({ body }, keepalive, begins, stop) => {
    const { signal, over, end } = deadline(REQUEST_TIMEOUT_MS, stop);
    const send = () =>
      transport({
        endpoint,
        body,
        token,
        keepalive,
        signal,
        accept: `application/json;flushes=${+begins};retries=${failed}`,
      });
    let result: SendResult = NO_ANSWER;
    try {
      const renewed = renew();
      const sent = keepalive
        ? send()
        : renewed.then((isThere) => (isThere ? send() : ({ kind: "refused", status: 401 } as const)));
      result = (await Promise.race([sent, over])) ?? NO_ANSWER;
    } catch {}
    end();
    failed = result.kind === "accepted" ? 0 : failed + 1;
    return result;
  };
}
