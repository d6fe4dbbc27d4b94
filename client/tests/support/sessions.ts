import { randomUUID } from "node:crypto";
import { vi } from "vitest";
import { createTelemetryClient, type TelemetryClient, type TelemetryOptions } from "../../src/index.js";
import { type MemoryTransport, memoryTransport } from "../../src/testing.js";
import { memoryStorage } from "./storage.js";

/** A browser with one session: tabs are clients that share its storage. */
export function browser() {
  const transport = memoryTransport();
  const storage = memoryStorage();
  const sessionId = randomUUID();
  const openTab = (options: TelemetryOptions = {}): TelemetryClient =>
    createTelemetryClient(sessionId, "web", { transport, storage, ...options });
  return { transport, storage, sessionId, openTab };
}

/** Lets everything happen that needs no more than a moment. */
export const moment = () => vi.advanceTimersByTimeAsync(500);

/** Waits for what needs no more than a moment. */
export async function soon<T>(promise: Promise<T>): Promise<T> {
  await moment();
  return promise;
}

export function deferred<T>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((given) => {
    resolve = given;
  });
  return { promise, resolve };
}

export const never = new Promise<never>(() => {});

export function trackMany(client: TelemetryClient, count: number, from = 1): void {
  for (let pos = from; pos < from + count; pos++) client.track("QUESTION_VIEWED", { pos });
}

export const eventsOf = (transport: MemoryTransport) => transport.accepted.flatMap(({ events }) => events);

export const seqsOf = (transport: MemoryTransport) => eventsOf(transport).map(({ seq }) => seq);

export const batchesOf = (transport: MemoryTransport) =>
  transport.requests.map(({ body }) => JSON.parse(body).events.length);

export const upTo = (last: number, from = 1) => Array.from({ length: last - from + 1 }, (_, index) => from + index);
