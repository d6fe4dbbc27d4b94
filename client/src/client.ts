import { attempt } from "./attempt.js";
import { headOf } from "./batch.js";
import { deliverTo } from "./delivery.js";
import { draft } from "./event.js";
import type { EventType, Payloads, Source } from "./events.js";
import { listenToPage } from "./page.js";
import { openQueue } from "./queue.js";
import { openSender } from "./sender.js";
import { defaultStorage, KEY_PREFIX, prune, type StorageLike } from "./store.js";
import { unref } from "./timers.js";
import { fetchTransport, type Transport } from "./transport.js";

export const FLUSH_AT_EVENTS = 10;
export const FLUSH_EVERY_MS = 12_000;

/**
 * Why events will not be stored: `invalid` (no JSON object), `too_large` (its payload), `queue_full` (the oldest were
 * dropped), `rejected` (by the gateway), `expired` (left by another session, long ago), `closed` (tracked after close).
 */
export type DropReason = "invalid" | "too_large" | "queue_full" | "rejected" | "expired" | "closed";

export interface TelemetryOptions {
  /** Where to post; "/v1/telemetry/events" by default. */
  endpoint?: string;
  /** Sent as `Authorization: Bearer`; without one the cookie goes along. Asked before each request. */
  token?: () => string | undefined;
  /** The least next seq, for a session that is resumed on another device. */
  startSeq?: number;
  onDrop?: (reason: DropReason, count: number) => void;
  /** `fetchTransport` by default. */
  transport?: Transport;
  /** localStorage by default, memory when that is denied. */
  storage?: StorageLike;
}

export interface TelemetryClient {
  /** Takes an event down and returns at once. Never throws. */
  track<T extends EventType>(type: T, payload?: Payloads[T], questionId?: string): void;
  /** Resolves when the queue is empty or this flush's tries are used up. Never rejects. */
  flush(): Promise<void>;
  /** One last try to send, then listeners and timers are removed. Closing twice is closing once. Never rejects. */
  close(): Promise<void>;
}

/** Starts to keep and send the events of a session. Works without a page, too: in memory. */
export function createTelemetryClient(
  sessionId: string,
  source: Source,
  options: TelemetryOptions = {},
): TelemetryClient {
  const { endpoint = "/v1/telemetry/events", transport = fetchTransport, storage = defaultStorage() } = options;
  const name = KEY_PREFIX + sessionId;
  let sinceFlush = 0;
  let closing: Promise<void> | undefined;

  const drop = (reason: DropReason) => (count: number) => {
    if (count) attempt(() => options.onDrop?.(reason, count), undefined);
  };

  drop("expired")(prune(storage, name, Date.now()));
  const queue = openQueue(name, storage, options.startSeq, drop("queue_full"));
  const sender = openSender(
    name,
    queue,
    (waiting, maxBytes) => headOf(waiting, sessionId, source, maxBytes),
    deliverTo(endpoint, transport, options),
    drop("rejected"),
  );

  const flush = () => {
    sinceFlush = 0;
    return sender.flush();
  };

  const track: TelemetryClient["track"] = (type, payload, questionId) => {
    const event = closing ? "closed" : draft(type, payload, questionId, new Date());
    if (typeof event === "string") return drop(event)(1);
    queue.add(event);
    if (++sinceFlush >= FLUSH_AT_EVENTS) void flush();
  };

  const leave = () => {
    void sender.interrupt();
    sender.depart(queue.leave());
  };
  const stopListening = listenToPage(leave, () => void sender.interrupt().then(flush));
  const timer = unref(setInterval(flush, FLUSH_EVERY_MS));

  const close = () => {
    clearInterval(timer);
    closing ??= sender
      .interrupt()
      .then(sender.last)
      .then(() => {
        queue.leave();
        stopListening();
      });
    return closing;
  };

  void queue.sync(); // takes the lease before the first event needs it
  if (!queue.isEmpty()) void flush();
  return { track, flush, close };
}
