import { randomUUID } from "node:crypto";
import { expect, vi } from "vitest";
import type { SentEvent } from "../../src/event.js";
import {
  createTelemetryClient,
  type SendResult,
  type TelemetryClient,
  type TelemetryOptions,
  type Transport,
} from "../../src/index.js";
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

/** Gets no answer. */
export const unreachable = (): MemoryTransport =>
  memoryTransport(...Array.from({ length: 1000 }, () => ({ kind: "retry" }) as const));

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

const idOf = ({ stream_id }: { stream_id?: string }, { session_id, seq }: SentEvent) =>
  `${session_id} ${stream_id} ${seq}`;

/** What the server keeps: each event once, in the order of its first coming; a number given twice is a fault. */
export function storedOf(...transports: MemoryTransport[]): SentEvent[] {
  const stored = new Map<string, SentEvent>();
  for (const batch of transports.flatMap(({ accepted }) => accepted)) {
    for (const event of batch.events) {
      const first = stored.get(idOf(batch, event)) ?? event;
      expect(event).toEqual(first);
      stored.set(idOf(batch, event), first);
    }
  }
  return [...stored.values()];
}

export const positionsOf = (events: SentEvent[]) => events.map(({ payload }) => (payload as { pos: number }).pos);

export const sorted = (numbers: number[]) => [...numbers].sort((a, b) => a - b);

/** Takes every event except for those that are `bad`; a batch that has one of them it refuses as a whole. */
export const refusing = (
  isBad: (event: SentEvent) => boolean,
  refusal: SendResult = { kind: "refused", status: 400 },
): MemoryTransport => {
  const accepting = memoryTransport();
  const transport: Transport = async (request) => {
    const isRefused = JSON.parse(request.body).events.some(isBad);
    if (!isRefused) return accepting(request);
    accepting.requests.push(request);
    return refusal;
  };
  return Object.assign(transport, accepting);
};

export const seqsOf = (transport: MemoryTransport) => eventsOf(transport).map(({ seq }) => seq);

export const batchesOf = (transport: MemoryTransport) =>
  transport.requests.map(({ body }) => JSON.parse(body).events.length);

export const upTo = (last: number, from = 1) => Array.from({ length: last - from + 1 }, (_, index) => from + index);
