import { type Batch, cut, type Limits } from "./batch.js";
import type { Deliver } from "./delivery.js";
import type { Drain } from "./drain.js";
import type { SendLeftovers } from "./leftovers.js";
import type { Pacing } from "./pacing.js";
import type { Queue } from "./queue.js";
import { RETRIES_PER_FLUSH } from "./retry.js";
import type { AnyResult } from "./transport.js";

/** Browsers cap all keepalive bodies of a page in flight at 64 KiB and refuse what is over it: half is the page's own. */
export const MAX_KEEPALIVE_BYTES = 32_768;

/** Of one request: how much the page's own leave is not known, and a page that goes does not hear of a refusal. */
export const MAX_KEEPALIVE_BODY_BYTES = 8_192;

/** Empties the page's queue, then what others left, one request at a time. Nothing here rejects. */
export interface Sender {
  /** Resolves when nothing is left to send or the tries are used up. */
  flush(): Promise<void>;
  /** Ends the flush under way. */
  interrupt(): Promise<void>;
  /** One try more, unless the server said to wait. */
  last(): Promise<void>;
  /** Sends as much as may leave a page that is going; the answers may come after it is gone. */
  depart(): void;
}

export function openSender(
  queue: Queue,
  limits: Limits,
  deliver: Deliver,
  { drain, settle }: Drain,
  sendLeftovers: SendLeftovers,
  pacing: Pacing,
): Sender {
  let running: Promise<void> | undefined;
  let stop = new AbortController();
  let again = false;
  let departed: Promise<unknown> = Promise.resolve();
  let departing = 0; // bytes

  const run = async ({ signal }: AbortController) => {
    let isTaking = true;
    do {
      again = false;
      await departed;
      isTaking = await sendLeftovers(!(await drain(queue, signal)), signal);
    } while (isTaking && again);
    running = undefined;
  };

  const flush = () => {
    again = true; // one that is about to end looks once more
    running ??= run(stop);
    return running;
  };

  const sendOff = async (batch: Batch) => {
    const mark = (isDeparting: boolean) => {
      departing += isDeparting ? batch.bytes : -batch.bytes;
      for (const event of batch.events) event.isDeparting = isDeparting;
    };
    mark(true);
    const result: AnyResult = await deliver(batch, true, true);
    mark(false);
    settle(queue, batch, result);
    if (result.afterMs) pacing.failed(result);
    if (result.mayBeTooMuch && pacing.isDue()) void flush(); // the page is still there
  };

  const depart = () => {
    for (;;) {
      const room = Math.min(MAX_KEEPALIVE_BODY_BYTES, MAX_KEEPALIVE_BYTES - departing);
      const batch = cut(queue, { ...limits, bytes: Math.min(limits.bytes, room) });
      if (!batch.events[0] || batch.bytes > room) return;
      departed = Promise.all([departed, sendOff(batch)]);
    }
  };

  return {
    flush,
    depart,
    async interrupt() {
      stop.abort();
      stop = new AbortController();
      await running;
    },
    async last() {
      if (pacing.reset(RETRIES_PER_FLUSH)) await flush();
    },
  };
}
