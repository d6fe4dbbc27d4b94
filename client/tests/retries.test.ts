// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { SendResult } from "../src/index.js";
import { goOnline, hidePage, showPage } from "./support/page.js";
import { browser, moment, never, seqsOf, soon, trackMany, upTo } from "./support/sessions.js";

const RETRY: SendResult = { kind: "retry" };
const REFUSED: SendResult = { kind: "refused", status: 401 };
const LONGEST_BACKOFFS = 1000 + 2000;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(1); // the longest waits
});

describe("after no answer, 408, 429 or 5xx", () => {
  it("a flush tries twice more, then leaves the events to the next one", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(RETRY, RETRY, RETRY);

    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(LONGEST_BACKOFFS + 300);
    expect(transport.requests).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(12_000);

    expect(transport.requests).toHaveLength(4);
    expect(seqsOf(transport)).toEqual(upTo(10));
  });

  it("it waits longer each time, by chance, so that a class does not come back in step", async () => {
    const { transport, openTab } = browser();
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const client = openTab();
    transport.answer(RETRY, RETRY);
    const times: number[] = [];
    const { push } = transport.requests;
    transport.requests.push = (request) => {
      times.push(Date.now());
      return push.call(transport.requests, request);
    };

    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(3000);

    const [first = 0, second = 0, third = 0] = times;
    expect(second - first).toBeGreaterThanOrEqual(500);
    expect(second - first).toBeLessThan(600);
    expect(third - second).toBeGreaterThanOrEqual(1000);
    expect(third - second).toBeLessThan(1100);
  });

  it("the same events go again, field by field, with later ones behind them", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(RETRY);

    trackMany(client, 10);
    await moment();
    trackMany(client, 2, 11);
    await vi.advanceTimersByTimeAsync(2000);

    const [first, second] = transport.requests.map(({ body }) => JSON.parse(body).events);
    expect(second.slice(0, 10)).toEqual(first);
    expect(second).toHaveLength(12);
  });

  it("a request that is never answered is given up after 15 seconds", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(never);

    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(14_000);
    expect(transport.requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2600);

    expect(transport.requests[0]?.signal.aborted).toBe(true);
    expect(seqsOf(transport)).toEqual(upTo(10));
  });
});

describe("Retry-After", () => {
  it("is obeyed within a flush", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer({ kind: "retry", afterMs: 30_000 });

    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(transport.requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1500);

    expect(seqsOf(transport)).toEqual(upTo(10));
  });

  it("is obeyed by the flushes after it", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(RETRY, RETRY, { kind: "retry", afterMs: 60_000 });

    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(LONGEST_BACKOFFS + 300);
    trackMany(client, 10, 11);
    await vi.advanceTimersByTimeAsync(55_000);
    expect(transport.requests).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(6000);

    expect(seqsOf(transport)).toEqual(upTo(20));
  });

  it("does not hold back the last chance, when the page is hidden", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer({ kind: "retry", afterMs: 60_000 });

    trackMany(client, 10);
    const flushed = client.flush();
    await moment();
    hidePage();
    await moment();
    await flushed;

    expect(transport.requests.map(({ keepalive }) => keepalive)).toEqual([false, true]);
    expect(seqsOf(transport)).toEqual(upTo(10));
  });

  it("is obeyed when it answers a page that is hidden and comes back", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer({ kind: "retry", afterMs: 60_000 });

    trackMany(client, 5);
    hidePage();
    await moment();
    showPage();
    await vi.advanceTimersByTimeAsync(59_000);
    expect(transport.requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(12_000);

    expect(seqsOf(transport)).toEqual(upTo(5));
  });

  it("does not hold back close, which then sends nothing more", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer({ kind: "retry", afterMs: 60_000 });
    trackMany(client, 10);
    await moment();

    await soon(client.close());

    expect(transport.requests).toHaveLength(1);
  });
});

describe("after a refusal", () => {
  it("the same flush does not try again", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(REFUSED);

    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(11_000);

    expect(transport.requests).toHaveLength(1);
  });

  it("the events stay and go with the next flush", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(REFUSED);

    trackMany(client, 10);
    await moment();
    trackMany(client, 1, 11);
    await vi.advanceTimersByTimeAsync(12_000);

    expect(seqsOf(transport)).toEqual(upTo(11));
  });
});

describe("back on the net", () => {
  it("events are sent at once", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(RETRY, RETRY, RETRY);
    trackMany(client, 3);
    await vi.advanceTimersByTimeAsync(17_000);
    expect(transport.requests).toHaveLength(3);

    goOnline();
    await moment();

    expect(seqsOf(transport)).toEqual(upTo(3));
  });
});
