// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { SendResult } from "../src/index.js";
import { memoryTransport } from "../src/testing.js";
import { comeBackToPage, hidePage, leavePage, showPage } from "./support/page.js";
import {
  batchesOf,
  browser,
  moment,
  positionsOf,
  seqsOf,
  soon,
  storedOf,
  trackMany,
  unreachable,
  upTo,
} from "./support/sessions.js";
import { deniedStorage, memoryStorage, spoilt } from "./support/storage.js";

const DAY = 24 * 3600 * 1000;

beforeEach(() => {
  vi.useFakeTimers();
});

describe("events that could not be sent", () => {
  it("go with a reload, each under the number it has in its own stream", async () => {
    const { transport, openTab } = browser();
    const before = openTab({ transport: unreachable() });
    trackMany(before, 3);
    leavePage();

    const after = openTab();
    trackMany(after, 2, 4);
    await moment();

    const streams = transport.accepted.map(({ stream_id, events }) => [stream_id, events.map(({ seq }) => seq)]);
    expect(streams.map(([, seqs]) => seqs)).toEqual([upTo(2), upTo(3)]);
    expect(new Set(streams.map(([id]) => id)).size).toBe(2);
  });

  it("go in the order of the reloads, however quickly these follow each other", async () => {
    const { transport, openTab } = browser();
    for (const count of [1, 2, 3]) {
      trackMany(openTab({ transport: unreachable() }), 1, count);
      leavePage();
      vi.advanceTimersByTime(20);
    }

    openTab();
    await moment();

    expect(positionsOf(storedOf(transport))).toEqual([1, 2, 3]);
  });

  it("go with the next visit, days later, before anything new is tracked", async () => {
    const { transport, openTab } = browser();
    await moment();
    trackMany(openTab({ transport: unreachable() }), 3);
    await moment(); // then the browser is killed: no event says so

    vi.setSystemTime(Date.now() + 7 * DAY);
    openTab();
    await moment();

    expect(seqsOf(transport)).toEqual(upTo(3));
  });

  it("are in the storage as soon as track returns, and forgotten only after they were accepted", async () => {
    const { transport, storage, openTab } = browser();
    const client = openTab();
    transport.answer({ kind: "refused", status: 401 }, { kind: "accepted", rejected: 0 });

    trackMany(client, 3);
    expect(storage.content.size).toBe(3);
    await soon(client.flush());
    expect(storage.content.size).toBe(3);
    await soon(client.flush());

    expect(storage.content.size).toBe(0);
  });

  it("go with what the page sends when it is shown again out of the back-forward cache", async () => {
    const { transport, openTab } = browser();
    const client = openTab();

    trackMany(client, 2);
    leavePage();
    await moment();
    comeBackToPage();
    trackMany(client, 2, 3);
    await vi.advanceTimersByTimeAsync(12_500);

    expect(seqsOf(transport)).toEqual(upTo(4));
  });

  it("are not sent twice by a page that was hidden and shown", async () => {
    const { transport, openTab } = browser();
    const client = openTab();

    for (let turn = 0; turn < 3; turn++) {
      trackMany(client, 2, 2 * turn + 1);
      hidePage();
      showPage();
      await moment();
    }

    expect(seqsOf(transport)).toEqual(upTo(6));
  });
});

it("a page on which nothing happens writes nothing", async () => {
  const { storage, openTab } = browser();
  trackMany(openTab(), 10);
  await moment();
  const setItem = vi.spyOn(storage, "setItem");

  await vi.advanceTimersByTimeAsync(60_000);

  expect(setItem).not.toHaveBeenCalled();
});

it("track writes its own event and nothing else, and reads nothing, with a million characters waiting", async () => {
  const { storage, openTab } = browser();
  const client = openTab({ transport: unreachable() });
  const track = (pos: number) => client.track("QUESTION_VIEWED", { pos, ...{ note: "x".repeat(1000) } });
  for (let pos = 1; pos <= 800; pos++) track(pos);
  await vi.advanceTimersByTimeAsync(60_000); // the tries are used up
  const [setItem, ...others] = [
    vi.spyOn(storage, "setItem"),
    vi.spyOn(storage, "getItem"),
    vi.spyOn(storage, "key"),
    vi.spyOn(storage, "removeItem"),
  ];

  for (let pos = 1; pos <= 9; pos++) track(pos);

  expect(setItem).toHaveBeenCalledTimes(9);
  expect(Math.max(...setItem.mock.calls.map(([, text]) => text.length))).toBeLessThan(1500);
  for (const other of others) expect(other).not.toHaveBeenCalled();
});

describe("the queue is bounded", () => {
  it("by events: the oldest go, so that a gap shows on the server", async () => {
    const { transport, storage, openTab } = browser();
    const onDrop = vi.fn();
    const client = openTab({ transport: unreachable(), onDrop });
    for (let part = 0; part < 11; part++) {
      trackMany(client, 100);
      await moment();
    }
    expect(onDrop.mock.calls.every(([reason]) => reason === "queue_full")).toBe(true);
    expect(onDrop.mock.calls.reduce((sum, [, count]) => sum + count, 0)).toBe(100);
    expect(storage.content.size).toBe(1000);
    leavePage();

    openTab();
    await vi.advanceTimersByTimeAsync(2000);

    expect(seqsOf(transport)).toEqual(upTo(1100, 101));
    expect(transport.accepted.at(-1)?.dropped).toEqual({ queue_full: 100 });
  });

  it("by size", async () => {
    const { storage, openTab } = browser();
    const onDrop = vi.fn();
    const client = openTab({ transport: unreachable(), onDrop });

    for (let pos = 1; pos <= 300; pos++) client.track("QUESTION_VIEWED", { pos, ...{ note: "x".repeat(4000) } });
    await moment();

    const characters = [...storage.content].reduce((sum, [key, text]) => sum + key.length + text.length, 0);
    expect(characters).toBeLessThan(1_100_000);
    expect(onDrop).toHaveBeenCalledWith("queue_full", expect.any(Number));
  });

  it("for all loads of a page together, however often it is loaded without a network", async () => {
    const { transport, storage, openTab } = browser();
    const onDrop = vi.fn();
    for (let load = 0; load < 6; load++) {
      trackMany(openTab({ transport: unreachable(), onDrop }), 400, 400 * load + 1);
      await vi.advanceTimersByTimeAsync(5000);
      leavePage();
    }

    expect(storage.content.size).toBeLessThanOrEqual(1000 + 400);
    expect(onDrop.mock.calls.every(([reason]) => reason === "queue_full")).toBe(true);
    openTab();
    await vi.advanceTimersByTimeAsync(5000);
    expect(positionsOf(storedOf(transport))).toContain(2400);
  });
});

describe("without room in the storage", () => {
  it("nothing is lost while the page lives", async () => {
    const { transport, openTab } = browser();
    const client = openTab({ storage: memoryStorage(0) });

    trackMany(client, 12);
    await moment();
    trackMany(client, 12, 13);
    await moment();

    expect(seqsOf(transport)).toEqual(upTo(24));
  });

  it("what had room goes with the next visit", async () => {
    const { transport, storage, openTab } = browser();
    const before = openTab({ transport: unreachable() });
    trackMany(before, 5);
    storage.quota = 0;
    trackMany(before, 5, 6);
    vi.resetModules(); // the page's memory is gone
    const { createTelemetryClient } = await import("../src/index.js");

    createTelemetryClient("01890a5d-ac96-774b-bcce-b302099a8057", "web", { transport, storage });
    await moment();

    expect(seqsOf(transport)).toEqual(upTo(5));
  });
});

describe("a storage that is denied", () => {
  it("is replaced by the page's memory, which a second client of the session shares", async () => {
    const { transport, openTab } = browser();
    const first = openTab({ storage: deniedStorage, transport: unreachable() });
    trackMany(first, 3);
    await soon(first.close());

    const second = openTab({ storage: deniedStorage });
    trackMany(second, 3, 4);
    await soon(second.close());

    expect(positionsOf(storedOf(transport)).sort()).toEqual(upTo(6));
  });

  it("is not asked for when it cannot even be named", async () => {
    const { transport, sessionId } = browser();
    vi.spyOn(window, "localStorage", "get").mockImplementation(() => {
      throw new DOMException("denied", "SecurityError");
    });
    const { createTelemetryClient } = await import("../src/index.js");

    const client = createTelemetryClient(sessionId, "web", { transport });
    client.track("REVIEW_OPENED");
    await soon(client.flush());

    expect(seqsOf(transport)).toEqual([1]);
  });
});

describe("a storage that fails later", () => {
  const FAULTS = ["setItem", "removeItem", "getItem", "key", "length"] as const;

  it.each(FAULTS)("by %s loses nothing, and makes no more requests than events need", async (fault) => {
    const { transport, storage, openTab } = browser();
    const client = openTab({ transport: unreachable() });
    trackMany(client, 60);
    await vi.advanceTimersByTimeAsync(60_000);
    await soon(client.close());

    const later = openTab({ storage: spoilt(storage, fault) });
    trackMany(later, 20, 61);
    await vi.advanceTimersByTimeAsync(60_000);

    const isReadable = fault === "setItem" || fault === "removeItem";
    expect(positionsOf(storedOf(transport)).sort((a, b) => a - b)).toEqual(upTo(80, isReadable ? 1 : 61));
    expect(transport.requests.length).toBeLessThanOrEqual(6);
  });

  it.each(FAULTS)("by %s under a client that is open already", async (fault) => {
    const { transport, storage, openTab } = browser();
    const state = spoilt(storage, undefined);
    const client = openTab({ storage: state });
    trackMany(client, 5);
    state.fault = fault;
    trackMany(client, 60, 6);
    await vi.advanceTimersByTimeAsync(60_000);

    expect(positionsOf(storedOf(transport))).toEqual(upTo(65));
    expect(transport.requests.length).toBeLessThanOrEqual(4);
  });

  it("by getItem for a while keeps what cannot be read until it can", async () => {
    const { transport, storage, openTab } = browser();
    trackMany(openTab({ transport: unreachable() }), 5);
    leavePage();
    const state = spoilt(storage, "getItem");

    openTab({ storage: state });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(transport.requests).toEqual([]);
    state.fault = undefined;
    await vi.advanceTimersByTimeAsync(12_500);

    expect(positionsOf(storedOf(transport))).toEqual(upTo(5));
  });

  it("by being emptied under an open page: each event is sent all the same", async () => {
    const { transport, storage, openTab } = browser();
    const client = openTab();
    transport.answer({ kind: "retry" });
    trackMany(client, 10);
    await Promise.resolve();
    storage.content.clear();
    trackMany(client, 10, 11);
    await vi.advanceTimersByTimeAsync(12_500);

    expect(seqsOf(transport)).toEqual(upTo(20));
  });

  it.each(["", "{", "null", "\n", "[1]\n{", '{"seq":1}\nnull', '{"seq":1}\n7'])(
    "by being edited into %j under what is left: no throw, no endless loop",
    async (text) => {
      const { transport, storage, openTab } = browser();
      trackMany(openTab({ transport: unreachable() }), 3);
      const [first = ""] = [...storage.content.keys()];
      storage.content.set(first, text);

      const client = openTab();
      await vi.advanceTimersByTimeAsync(60_000);
      trackMany(client, 1, 4);
      await soon(client.flush());

      expect(positionsOf(storedOf(transport).filter(({ payload }) => payload))).toEqual(
        expect.arrayContaining([2, 3, 4]),
      );
      expect(transport.requests.length).toBeLessThan(12);
    },
  );
});

it("one look at a long queue makes as few requests as can be", async () => {
  const { transport, openTab } = browser();
  trackMany(openTab({ transport: unreachable() }), 500);
  leavePage();

  openTab();
  await vi.advanceTimersByTimeAsync(1000);

  expect(batchesOf(transport)).toEqual(Array.from({ length: 10 }, () => 50));
});

describe("the page's clock", () => {
  const HOUR = 3600 * 1000;
  const UNAVAILABLE: SendResult = { kind: "retry", status: 503, afterMs: 2000 };

  it("set back three hours after a 503 holds nothing back", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(UNAVAILABLE);
    trackMany(client, 10);
    await moment();

    vi.setSystemTime(Date.now() - 3 * HOUR);
    await vi.advanceTimersByTimeAsync(60_000);

    expect(seqsOf(transport)).toEqual(upTo(10));
  });

  it("set back does not keep close from sending", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(UNAVAILABLE, UNAVAILABLE, UNAVAILABLE);
    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(20_000);
    vi.setSystemTime(Date.now() - 3 * HOUR);
    trackMany(client, 1, 11);

    await soon(client.close());

    expect(seqsOf(transport)).toEqual(upTo(11));
  });

  it.each([40 * DAY, -40 * DAY, -40 * 365 * DAY])("%d ms off at a load costs no event", async (shift) => {
    const { transport, storage, openTab } = browser();
    const other = browser();
    trackMany(openTab({ transport: unreachable() }), 3);
    trackMany(other.openTab({ storage, transport: unreachable() }), 3, 4);
    const now = Date.now();

    vi.setSystemTime(now + shift);
    const wrong = openTab({ transport: unreachable() });
    await vi.advanceTimersByTimeAsync(20_000);
    await soon(wrong.close());
    vi.setSystemTime(now + 60_000);
    openTab();
    await moment();

    expect(positionsOf(storedOf(transport))).toEqual(expect.arrayContaining(upTo(6)));
  });
});

it("after a load at which nothing could be sent, what memory holds is still what the server gets", async () => {
  const down = memoryTransport({ kind: "retry" }, { kind: "retry" }, { kind: "retry" }, { kind: "retry" });
  const { openTab } = browser();
  const client = openTab({ transport: down });

  trackMany(client, 10);
  await vi.advanceTimersByTimeAsync(60_000);

  expect(seqsOf(down)).toEqual(upTo(10));
});
