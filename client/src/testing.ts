import type { SentEvent } from "./event.js";
import type { Source } from "./events.js";
import type { SendRequest, SendResult, Transport } from "./transport.js";

export interface SentBatch {
  source: Source;
  /** The load of a page in which the events were tracked. */
  stream_id?: string;
  sent_at: string;
  /** Reasons and how many events of the stream will not come, so far. */
  dropped?: Record<string, number>;
  events: SentEvent[];
}

/** Takes the place of `fetchTransport` in tests. */
export interface MemoryTransport extends Transport {
  /** What was asked of it, in order. */
  readonly requests: SendRequest[];
  /** The bodies that it answered with `accepted`, in that order. */
  readonly accepted: SentBatch[];
  /** Says what to answer to the next requests, one each; `accepted` again after them. A promise: when it resolves. */
  answer(...results: (SendResult | Promise<SendResult>)[]): void;
}

export function memoryTransport(...results: (SendResult | Promise<SendResult>)[]): MemoryTransport {
  const requests: SendRequest[] = [];
  const accepted: SentBatch[] = [];

  const transport = async (request: SendRequest): Promise<SendResult> => {
    requests.push(request);
    const aborted = new Promise<SendResult>((resolve) => {
      const retry = () => resolve({ kind: "retry" });
      if (request.signal.aborted) retry();
      request.signal.addEventListener("abort", retry);
    });
    const result = await Promise.race([aborted, results.shift() ?? ({ kind: "accepted", rejected: 0 } as const)]);
    if (result.kind === "accepted") accepted.push(JSON.parse(request.body));
    return result;
  };

  return Object.assign(transport, {
    requests,
    accepted,
    answer: (...more: typeof results) => void results.push(...more),
  });
}
