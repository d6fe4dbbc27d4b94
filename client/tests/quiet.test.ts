// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createTelemetryClient, type TelemetryOptions, type Transport } from "../src/index.js";
import { goOnline, hidePage, leavePage } from "./support/page.js";
import { browser, eventsOf, moment, seqsOf, soon, trackMany, upTo } from "./support/sessions.js";
import { deniedStorage } from "./support/storage.js";

const boom = () => {
  throw new Error("boom");
};
const rejecting: Transport = () => Promise.reject(new Error("boom"));
const brokenLocks = { request: boom };

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);

beforeEach(() => {
  vi.useFakeTimers();
  process.on("unhandledRejection", note);
  for (const level of ["log", "warn", "error"] as const) vi.spyOn(console, level);
});

afterEach(async () => {
  vi.useRealTimers();
  await new Promise(setImmediate); // when Node reports them
  process.off("unhandledRejection", note);
  expect(unhandled.splice(0)).toEqual([]);
  for (const level of ["log", "warn", "error"] as const) expect(console[level]).not.toHaveBeenCalled();
});

describe("nothing is thrown or shown", () => {
  it.each<[string, TelemetryOptions]>([
    ["a transport throws", { transport: boom }],
    ["a transport rejects", { transport: rejecting }],
    ["a transport answers nonsense", { transport: (async () => undefined) as unknown as Transport }],
    ["the token cannot be had", { token: boom }],
    ["onDrop throws", { onDrop: boom }],
    ["the storage throws", { storage: deniedStorage }],
  ])("when %s", async (_, options) => {
    const { openTab } = browser();
    const client = openTab(options);

    trackMany(client, 30);
    client.track("REVIEW_OPENED", 1n as never);
    await vi.advanceTimersByTimeAsync(30_000);
    hidePage();
    leavePage();
    goOnline();
    const done = Promise.all([client.flush(), client.close(), client.flush()]);
    await vi.advanceTimersByTimeAsync(30_000);

    await expect(done).resolves.toBeDefined();
  });

  it("when Web Locks are broken, and events are sent all the same", async () => {
    vi.stubGlobal("navigator", { locks: brokenLocks });
    const { transport, openTab } = browser();
    const client = openTab();

    trackMany(client, 3);
    await moment();
    leavePage();

    await vi.waitFor(() => expect(seqsOf(transport)).toEqual(upTo(3)));
  });

  it("when there is no network", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    const { sessionId } = browser();
    const client = createTelemetryClient(sessionId, "web");

    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(15_000);
    leavePage();

    await soon(client.close());
  });
});

describe("what cannot be stored is dropped and counted", () => {
  const cyclic: { self?: object } = {};
  cyclic.self = cyclic;

  it.each<[string, unknown, string]>([
    ["a cycle", cyclic, "invalid"],
    ["a BigInt", { pos: 1n }, "invalid"],
    ["an array", [1], "invalid"],
    ["a number", 3, "invalid"],
    ["null", null, "invalid"],
    ["what becomes nothing in JSON", { toJSON: () => undefined }, "invalid"],
    ["a function", () => {}, "invalid"],
    ["more than 4096 bytes", { note: "x".repeat(4096) }, "too_large"],
    ["more than 4096 bytes in fewer characters", { note: "…".repeat(1400) }, "too_large"],
  ])("%s", async (_, payload, reason) => {
    const { transport, openTab } = browser();
    const onDrop = vi.fn();
    const client = openTab({ onDrop });

    client.track("QUESTION_VIEWED", { pos: 1 });
    client.track("QUESTION_VIEWED", payload as never);
    client.track("QUESTION_VIEWED", { pos: 2 });
    await soon(client.flush());

    expect(onDrop.mock.calls).toEqual([[reason, 1]]);
    expect(seqsOf(transport)).toEqual([1, 2]); // and leaves no gap
  });

  it.each<[string, string, string | undefined]>([
    ["a type that is none", "question viewed", undefined],
    ["a type without end", "A".repeat(400_000), undefined],
    ["a question id that is no UUID", "QUESTION_VIEWED", "q1"],
    ["a question id without end", "QUESTION_VIEWED", "0".repeat(400_000)],
    ["an empty question id", "QUESTION_VIEWED", ""],
  ])("%s", async (_, type, questionId) => {
    const { transport, openTab } = browser();
    const onDrop = vi.fn();
    const client = openTab({ onDrop });

    client.track(type as never, { pos: 1 } as never, questionId);
    trackMany(client, 1);
    await soon(client.flush());

    expect(onDrop.mock.calls).toEqual([["invalid", 1]]);
    expect(transport.requests.map(({ body }) => body.length < 1000)).toEqual([true]);
  });

  it("is told to the server with the next batch, cumulative", async () => {
    const { transport, openTab } = browser();
    const client = openTab();

    client.track("QUESTION_VIEWED", [] as never);
    client.track("QUESTION_VIEWED", { note: "x".repeat(5000) } as never);
    trackMany(client, 1);
    await soon(client.flush());
    client.track("QUESTION_VIEWED", [] as never);
    trackMany(client, 1);
    await soon(client.flush());

    expect(transport.accepted.map(({ dropped }) => dropped)).toEqual([
      { invalid: 1, too_large: 1 },
      { invalid: 2, too_large: 1 },
    ]);
  });

  it("is not mentioned when there was none", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    trackMany(client, 1);
    await soon(client.flush());

    expect(transport.accepted[0]).not.toHaveProperty("dropped");
  });

  it("is told by the session's next client when it came after close", async () => {
    const { transport, openTab } = browser();
    const closed = openTab();
    await soon(closed.close());
    trackMany(closed, 2);

    const [next, last] = [openTab(), openTab()];
    for (const client of [next, last]) {
      trackMany(client, 1);
      await soon(client.close());
    }

    expect(transport.accepted.map(({ dropped }) => dropped)).toEqual([{ closed: 2 }, undefined]);
  });

  it.each([
    ["half a surrogate pair", { note: "\ud800 and 😀" }, { note: "\ufffd and 😀" }],
    ["half of one as a key", { "\udfff": 1 }, { "\ufffd": 1 }],
    ["U+0000", { note: "a\u0000b" }, { note: "a\ufffdb" }],
    ["what only looks like one", { note: "\\ud800 \\\\u0000" }, { note: "\\ud800 \\\\u0000" }],
  ])("but %s is mended", async (_, payload, sent) => {
    const { transport, openTab } = browser();
    const onDrop = vi.fn();
    const client = openTab({ onDrop });

    client.track("QUESTION_VIEWED", payload as never);
    await soon(client.flush());

    expect(eventsOf(transport).map((event) => event.payload)).toEqual([sent]);
    expect(onDrop).not.toHaveBeenCalled();
  });

  it("takes a payload of exactly 4096 bytes", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    const payload = { pos: 1, note: "x".repeat(4096 - '{"pos":1,"note":""}'.length) };

    client.track("QUESTION_VIEWED", payload);
    await soon(client.flush());

    expect(eventsOf(transport)[0]?.payload).toEqual(payload);
  });

  it("by the gateway", async () => {
    const { transport, openTab } = browser();
    const onDrop = vi.fn();
    const client = openTab({ onDrop });
    const reasons = [{ index: 3, code: "invalid_field" }];
    transport.answer({ kind: "accepted", rejected: 2 }, { kind: "accepted", accepted: 9, rejected: 1, reasons });

    trackMany(client, 10);
    await moment();
    trackMany(client, 10);
    await moment();

    expect(onDrop.mock.calls).toEqual([
      ["rejected", 2],
      ["rejected", 1, "invalid_field"],
    ]);
    expect(transport.requests).toHaveLength(2);
  });

  it("after close", async () => {
    const { transport, openTab } = browser();
    const onDrop = vi.fn();
    const client = openTab({ onDrop });
    const closed = client.close();

    client.track("REVIEW_OPENED");
    await soon(closed);

    expect(onDrop.mock.calls).toEqual([["closed", 1]]);
    expect(transport.requests).toHaveLength(0);
  });
});

describe("close", () => {
  it("sends what there is, once, then leaves no timer and no listener", async () => {
    const { transport, openTab } = browser();
    const added = [document, window].map((target) => vi.spyOn(target, "addEventListener"));
    const listeners = () => added.flatMap((spy) => spy.mock.calls as [string, unknown, { signal: AbortSignal }][]);
    const client = openTab();
    expect(listeners().map(([type]) => type)).toEqual(["visibilitychange", "pagehide", "online"]);
    trackMany(client, 3);

    const [first, second] = [client.close(), client.close()];
    await soon(first);

    expect(second).toBe(first);
    expect(seqsOf(transport)).toEqual(upTo(3));
    expect(transport.requests).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
    expect(listeners().every(([, , { signal }]) => signal.aborted)).toBe(true);
  });

  it("cuts the wait for a retry short", async () => {
    const { transport, openTab } = browser();
    vi.spyOn(Math, "random").mockReturnValue(1);
    const client = openTab();
    transport.answer({ kind: "retry" });
    trackMany(client, 10);
    await moment();

    await soon(client.close());

    expect(transport.requests.length).toBeLessThanOrEqual(2);
    expect(vi.getTimerCount()).toBe(0);
  });
});
