// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Problem, SendResult } from "../src/index.js";
import { memoryTransport } from "../src/testing.js";
import { goOnline, leavePage, showPage } from "./support/page.js";
import { browser, deferred, moment, never, seqsOf, soon, trackMany, unreachable, upTo } from "./support/sessions.js";

beforeEach(() => {
  vi.useFakeTimers();
});

describe("onError", () => {
  it.each<[Partial<Problem>, SendResult]>([
    [{ kind: "no_answer" }, { kind: "retry" }],
    [
      { kind: "not_gateway", status: 200 },
      { kind: "retry", status: 200 },
    ],
    [{ kind: "not_gateway" }, { kind: "accepted", accepted: 3, rejected: 0 }],
    [
      { kind: "unavailable", status: 503 },
      { kind: "retry", status: 503 },
    ],
    [
      { kind: "unauthorized", status: 401 },
      { kind: "refused", status: 401 },
    ],
    [
      { kind: "not_found", status: 404, code: "no_route" },
      { kind: "refused", status: 404, code: "no_route" },
    ],
    [
      { kind: "unavailable", status: 429 },
      { kind: "retry", status: 429 },
    ],
    [
      { kind: "refused", status: 405 },
      { kind: "refused", status: 405 },
    ],
    [
      { kind: "forbidden", status: 403, code: "nothing_allowed" },
      {
        kind: "refused",
        status: 403,
        code: "nothing_allowed",
        reasons: [{ index: 0, code: "session_not_owned" }],
      },
    ],
  ])("hears %j of %j, once for a flush", async (problem, result) => {
    const onError = vi.fn();
    const client = browser().openTab({ onError, transport: async () => result });
    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(10_000);

    expect(onError.mock.calls).toEqual([[problem]]);
  });

  it("is not called when all is well, or when a second try helps", async () => {
    const onError = vi.fn();
    const client = browser().openTab({ onError, transport: memoryTransport({ kind: "retry" }) });
    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(60_000);

    expect(onError).not.toHaveBeenCalled();
  });

  it("may throw", async () => {
    const onError = () => {
      throw new Error("boom");
    };
    const { transport, openTab } = browser();
    const client = openTab({ onError });
    transport.answer({ kind: "refused", status: 401 });
    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(30_000);

    expect(seqsOf(transport)).toEqual(upTo(10));
  });
});

describe("where every request is blocked", () => {
  it("they become few, and so do the calls of onError", async () => {
    const onError = vi.fn();
    const transport = unreachable();
    const client = browser().openTab({ onError, transport });
    const minutes: number[] = [];
    for (let minute = 0; minute < 30; minute++) {
      const before = transport.requests.length;
      for (let round = 0; round < 6; round++) {
        trackMany(client, 3);
        await vi.advanceTimersByTimeAsync(10_000);
      }
      minutes.push(transport.requests.length - before);
    }

    expect(minutes[0]).toBeLessThan(9);
    expect(Math.max(...minutes.slice(1))).toBeLessThan(5);
    expect(minutes.slice(5).reduce((sum, count) => sum + count)).toBeLessThan(25);
    expect(onError.mock.calls.length).toBeLessThanOrEqual(transport.requests.length - 2);
  });

  it.each([
    ["an explicit flush", (client: { flush(): Promise<void> }) => void client.flush()],
    ["the network's return", goOnline],
    ["the page's return", showPage],
  ])("%s tries at once", async (_, begin) => {
    const { transport, openTab } = browser();
    vi.spyOn(Math, "random").mockReturnValue(1);
    transport.answer(...Array.from({ length: 9 }, () => ({ kind: "retry" }) as const));
    const client = openTab();
    trackMany(client, 1);
    while (transport.requests.length < 9) await vi.advanceTimersByTimeAsync(12_000);
    trackMany(client, 1);

    begin(client);
    await vi.advanceTimersByTimeAsync(1);

    expect(seqsOf(transport)).toEqual([1, 2]);
  });
});

describe("debug", () => {
  it("is off", async () => {
    const debug = vi.spyOn(console, "debug").mockReturnValue();
    const client = browser().openTab();
    trackMany(client, 1);
    await soon(client.close());

    expect(debug).not.toHaveBeenCalled();
  });

  it("says what was sent, not sent and dropped", async () => {
    const debug = vi.spyOn(console, "debug").mockReturnValue();
    const { transport, openTab } = browser();
    const client = openTab({ debug: true, token: () => "secret" });
    transport.answer({ kind: "refused", status: 401 });
    trackMany(client, 1);
    client.track("REVIEW_OPENED", [] as never);
    await soon(client.flush());
    await soon(client.flush());

    const lines = debug.mock.calls.map((line) => JSON.stringify(line));
    for (const word of ["dropped", "invalid", "not sent", "unauthorized", '"sent"'])
      expect(lines.some((line) => line.includes(word))).toBe(true);
    expect(lines.join()).not.toContain("secret");
  });
});

describe("a token that is fetched", () => {
  it("is waited for", async () => {
    const { transport, openTab } = browser();
    const client = openTab({ token: async () => "abc" });
    trackMany(client, 1);
    await soon(client.flush());

    expect(transport.requests.map(({ token }) => token)).toEqual(["abc"]);
  });

  it("is not waited for longer than for an answer", async () => {
    const { transport, openTab } = browser();
    const onError = vi.fn();
    let token: Promise<string> = never;
    vi.spyOn(Math, "random").mockReturnValue(0); // no waits in between
    const client = openTab({ token: () => token, onError });
    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(46_000);
    expect(transport.requests).toHaveLength(0);
    expect(onError).toHaveBeenCalled();
    token = Promise.resolve("abc");
    await soon(client.flush());

    expect(seqsOf(transport)).toEqual(upTo(10));
  });

  it("and cannot be had counts as unauthorized", async () => {
    const { transport, openTab } = browser();
    const onError = vi.fn();
    const client = openTab({ token: () => Promise.reject(new Error("boom")), onError });
    trackMany(client, 10);
    await moment();

    expect(transport.requests).toHaveLength(0);
    expect(onError).toHaveBeenCalledWith({ kind: "unauthorized", status: 401 });
  });

  it("is the last one known when the page goes", async () => {
    const { transport, openTab } = browser();
    const { promise, resolve } = deferred<string>();
    const tokens = [Promise.resolve("first"), promise];
    const client = openTab({ token: () => tokens.shift() ?? never });
    await moment();
    trackMany(client, 1);
    leavePage();

    expect(transport.requests.map(({ token }) => token)).toEqual(["first"]);
    resolve("late");
    await soon(client.close());
  });

  it("is the newest when the page goes and it is there at once", async () => {
    const { transport, openTab } = browser();
    const tokens = ["first", "second"];
    const client = openTab({ token: () => tokens.shift() });
    trackMany(client, 1);
    leavePage();

    expect(transport.requests.map(({ token }) => token)).toEqual(["second"]);
  });
});
