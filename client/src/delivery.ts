import type { Batch } from "./batch.js";
import { aborted, deadline } from "./timers.js";
import { NO_ANSWER, type SendResult, type Transport } from "./transport.js";

/** Longer than the gateway takes over anything; it gives Kafka 5 s. */
export const REQUEST_TIMEOUT_MS = 15_000;

/** Sends a batch once; resolves whatever `transport` does, at the latest when `stop` is aborted or time is up. */
export type Deliver = (batch: Batch, keepalive: boolean, stop?: AbortSignal) => Promise<SendResult>;

export const deliverTo =
  (endpoint: string, transport: Transport, options: { token?: () => string | undefined }): Deliver =>
  async ({ body }, keepalive, stop) => {
    const { signal, end } = deadline(REQUEST_TIMEOUT_MS, stop);
    try {
      const sent = transport({ endpoint, body, token: options.token?.(), keepalive, signal });
      return (await Promise.race([sent, aborted(signal)])) ?? NO_ANSWER;
    } catch {
      return NO_ANSWER;
    } finally {
      end();
    }
  };
