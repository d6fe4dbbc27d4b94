import type { Limits } from "./batch.js";
import { noteClosed, tellOfClosed } from "./closed.js";
import { deliverTo, type Token } from "./delivery.js";
import { openDrain } from "./drain.js";
import { type DropReason, type EventType, MAX_EVENTS_PER_BATCH, type Payloads, type Source } from "./events.js";
import { openLeftovers } from "./leftovers.js";
import { openNotices, type Problem } from "./notices.js";
import { openPacing } from "./pacing.js";
import { listenToPage } from "./page.js";
import { openSender } from "./sender.js";
import { defaultStorage, openStore, type StorageLike } from "./store.js";
import { openStream } from "./stream.js";
import { unref } from "./timers.js";
import { fetchTransport, type Transport } from "./transport.js";

export const FLUSH_AT_EVENTS = 10;
export const FLUSH_EVERY_MS = 12_000;

export interface TelemetryOptions {
  /** Where to post; "/v1/telemetry/events" by default. */
  endpoint?: string;
  /** Sent as `Authorization: Bearer`; without one the cookie goes along. Asked before each request. */
  token?: Token;
  /** @deprecated Does nothing: each load of a page counts from 1 in a stream of its own. */
  startSeq?: number;
  /** Called when events will not be stored; `code` is the gateway's reason, or its first. */
  onDrop?: (reason: DropReason, count: number, code?: string) => void;
  /** Called when a flush gives up; as long as that goes on, the client pauses up to 5 minutes between flushes. */
  onError?: (problem: Problem) => void;
  /** Writes to the console what is done; off by default. */
  debug?: boolean;
  /** `fetchTransport` by default. */
  transport?: Transport;
  /** localStorage by default, memory when that is denied. */
  storage?: StorageLike;
}

export interface TelemetryClient {
  /** Takes an event down and returns at once. Never throws. */
  track<T extends EventType>(type: T, payload?: Payloads[T], questionId?: string): void;
  /** Resolves when nothing is left to send or this flush's tries are used up. Never rejects. */
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
  const limits: Limits = { events: MAX_EVENTS_PER_BATCH, bytes: Infinity };
  const store = openStore(storage);
  const notices = openNotices(store, options);
  const pacing = openPacing();
  const { prefix, queue, add } = openStream(store, sessionId, source, notices);
  const deliver = deliverTo(endpoint, transport, options.token);
  const drain = openDrain(deliver, limits, pacing, notices);
  const sendLeftovers = openLeftovers(store, prefix, drain.drain, notices);
  const sender = openSender(queue, limits, deliver, drain, sendLeftovers, pacing);
  let closing: Promise<void> | undefined;

  const flush = () => {
    pacing.reset(0);
    return sender.flush();
  };

  /** On its own accord: not while the server, or what is in the way to it, is left alone. */
  const flushIfDue = () => {
    if (pacing.isDue()) void sender.flush();
  };

  const track: TelemetryClient["track"] = (type, payload, questionId) => {
    if (closing) return noteClosed(queue, notices, sessionId);
    add(type, payload, questionId);
    if (queue.events.length >= FLUSH_AT_EVENTS) flushIfDue();
  };

  const leave = () => {
    void sender.interrupt();
    sender.depart();
  };
  const stopListening = listenToPage(leave, flush);
  const timer = unref(setInterval(flushIfDue, FLUSH_EVERY_MS));

  const close = () => {
    clearInterval(timer);
    closing ??= sender.interrupt().then(sender.last).then(stopListening);
    return closing;
  };

  tellOfClosed(queue, sessionId);
  if (store.keys("attemptlog")[0]) void sender.flush();
  return { track, flush, close };
}
