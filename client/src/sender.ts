import type { Batch } from "./batch.js";
import type { Deliver } from "./delivery.js";
import type { QueuedEvent } from "./event.js";
import { withLock } from "./locks.js";
import type { Queue } from "./queue.js";
import { backoff, MAX_RETRY_AFTER_MS, RETRIES_PER_FLUSH } from "./retry.js";
import { pause } from "./timers.js";

/** Browsers cap all keepalive bodies in flight at 64 KiB and refuse what is over it. */
export const MAX_KEEPALIVE_BYTES = 60 * 1024;

/** How long a flush waits for another tab that is sending; that one takes our events along. */
export const SEND_PATIENCE_MS = 10_000;

/** Empties the queue, one request at a time over all tabs. Nothing here rejects. */
export interface Sender {
  /** Resolves when the queue is empty or the tries are used up. */
  flush(): Promise<void>;
  /** Ends the flush under way. */
  interrupt(): Promise<void>;
  /** One try more, unless the server said to wait. */
  last(): Promise<void>;
  /** Sends as much as may leave a page that is going; the answers may come after it is gone. */
  depart(waiting: QueuedEvent[]): void;
}

export function openSender(
  lock: string,
  queue: Queue,
  cut: (waiting: QueuedEvent[], maxBytes?: number) => Batch,
  deliver: Deliver,
  onRejected: (count: number) => void,
): Sender {
  let leavingBytes = 0;
  let leavingUpTo = 0;
  let departed: Promise<unknown> = Promise.resolve();
  let running: Promise<void> | undefined;
  let stop = new AbortController();
  let notBefore = 0;
  let again = false;

  const send = async (batch: Batch, keepalive: boolean, signal?: AbortSignal) => {
    const result = await deliver(batch, keepalive, signal);
    if (result.kind === "accepted") {
      queue.acknowledge(batch.events);
      onRejected(Math.min(result.rejected, batch.events.length));
    }
    return result;
  };

  const drain = async (signal: AbortSignal, retries: number): Promise<boolean> => {
    for (let retry = 0; ; ) {
      await pause(Math.min(notBefore - Date.now(), MAX_RETRY_AFTER_MS), signal);
      again = false;
      const batch = cut(await queue.sync());
      if (!batch.events.length) return true;
      if (signal.aborted) return false;
      const result = await send(batch, false, signal);
      if (signal.aborted || result.kind === "refused") return false;
      if (result.kind === "accepted") continue;
      const isLast = retry >= retries;
      notBefore = Date.now() + (result.afterMs ?? 0) + (isLast ? 0 : backoff(retry++));
      if (isLast) return false;
    }
  };

  const run = async (retries: number): Promise<void> => {
    const { signal } = stop;
    const work = (held: boolean) => held && drain(signal, retries);
    try {
      do await departed;
      while ((await withLock(`${lock}:send`, SEND_PATIENCE_MS, work, signal)) && again);
    } catch {
      // the events stay
    } finally {
      running = undefined;
    }
  };

  const flush = () => {
    again = true; // one that is about to end looks once more
    running ??= run(RETRIES_PER_FLUSH);
    return running;
  };

  const interrupt = async () => {
    stop.abort();
    stop = new AbortController();
    await running;
  };

  const last = async () => {
    if (notBefore > Date.now()) return;
    running ??= run(0);
    await running;
  };

  const leave = async (batch: Batch) => {
    leavingBytes += batch.bytes;
    await send(batch, true);
    leavingBytes -= batch.bytes;
    if (!leavingBytes) leavingUpTo = 0;
  };

  const depart = (waiting: QueuedEvent[]) => {
    for (;;) {
      const rest = waiting.filter(({ seq }) => seq > leavingUpTo);
      const batch = cut(rest, MAX_KEEPALIVE_BYTES - leavingBytes);
      const last = batch.events.at(-1);
      if (!last) return;
      leavingUpTo = last.seq;
      departed = Promise.all([departed, leave(batch).then(queue.sync)]);
    }
  };

  return { flush, interrupt, last, depart };
}
