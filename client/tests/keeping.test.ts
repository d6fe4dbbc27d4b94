// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { DropReason } from "../src/index.js";
import { memoryTransport } from "../src/testing.js";
import { withWebLocks } from "./support/locks.js";
import { comeBackToPage, hidePage, leavePage, showPage } from "./support/page.js";
import { batchesOf, browser, eventsOf, moment, never, seqsOf, soon, trackMany, upTo } from "./support/sessions.js";
import { deniedStorage, memoryStorage } from "./support/storage.js";

const DAY = 24 * 3600 * 1000;
const unreachable = () => memoryTransport(...Array.from({ length: 100 }, () => ({ kind: "retry" }) as const));

beforeEach(() => {
  vi.useFakeTimers();
  withWebLocks();
});

describe("events that could not be sent", () => {
  it("go with a reload", async () => {
    const { transport, openTab } = browser();
    const before = openTab({ transport: unreachable() });
    trackMany(before, 3);
    leavePage();

    const after = openTab();
    trackMany(after, 2, 4);
    await moment();

    expect(seqsOf(transport)).toEqual(upTo(5));
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

    expect(eventsOf(transport).map(({ seq, payload }) => [seq, payload])).toEqual(
      [1, 2, 3].map((n) => [n, { pos: n }]),
    );
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

  it("are forgotten only after they were accepted", async () => {
    const { storage, sessionId, openTab } = browser();
    const { transport } = browser();
    const client = openTab({ transport });
    const queued = () => JSON.parse(storage.getItem(`attemptlog:${sessionId}`) ?? "{}").queue?.length;
    transport.answer({ kind: "refused", status: 400 }, { kind: "accepted", rejected: 0 });

    trackMany(client, 3);
    await soon(client.flush());
    expect(queued()).toBe(3);
    await soon(client.flush());

    expect(queued()).toBe(0);
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

describe("the queue is bounded", () => {
  it("by events: the oldest go, so that a gap shows on the server", async () => {
    const { transport, openTab } = browser();
    const onDrop = vi.fn();
    const client = openTab({ transport: unreachable(), onDrop });
    for (let part = 0; part < 11; part++) {
      trackMany(client, 100);
      await moment();
    }
    expect(onDrop.mock.calls.every(([reason]) => reason === "queue_full")).toBe(true);
    expect(onDrop.mock.calls.reduce((sum, [, count]) => sum + count, 0)).toBe(100);
    leavePage();

    openTab();
    await vi.advanceTimersByTimeAsync(2000);

    expect(seqsOf(transport)).toEqual(upTo(1100, 101));
  });

  it("by size", async () => {
    const { storage, sessionId, openTab } = browser();
    const onDrop = vi.fn();
    const client = openTab({ transport: unreachable(), onDrop });

    for (let pos = 1; pos <= 300; pos++) client.track("QUESTION_VIEWED", { pos, ...{ note: "x".repeat(4000) } });
    await moment();

    expect(storage.getItem(`attemptlog:${sessionId}`)?.length).toBeLessThan(1_001_000);
    expect(onDrop).toHaveBeenCalledWith("queue_full", expect.any(Number));
  });

  it("also while another tab holds the lock", async () => {
    const locks = withWebLocks();
    const { sessionId, openTab } = browser();
    const onDrop = vi.fn();
    void locks.request(`attemptlog:${sessionId}`, {}, () => never);

    trackMany(openTab({ onDrop }), 3000);

    expect(onDrop.mock.calls.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThanOrEqual(1000);
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

  it("the numbers go on after a reload", async () => {
    const { transport, storage, openTab } = browser();
    const before = openTab();
    trackMany(before, 10);
    await moment();
    transport.answer({ kind: "refused", status: 401 });
    storage.quota = 150;
    trackMany(before, 10, 11);
    await moment();
    vi.resetModules(); // the page's memory is gone
    const { createTelemetryClient } = await import("../src/index.js");
    const sessionId = [...storage.content.keys()][0]?.slice("attemptlog:".length) ?? "";

    const after = createTelemetryClient(sessionId, "web", { transport, storage });
    trackMany(after as ReturnType<typeof openTab>, 10, 21);
    await moment();

    expect(seqsOf(transport)).toEqual([...upTo(10), ...upTo(30, 21)]);
  });

  it("the storage is used again once there is room", async () => {
    const { storage, sessionId, openTab } = browser();
    const client = openTab({ transport: unreachable() });
    storage.quota = 10;
    trackMany(client, 3);
    await moment();
    storage.quota = 5_000_000;
    trackMany(client, 1, 4);
    await moment();

    const { next, queue } = JSON.parse(storage.getItem(`attemptlog:${sessionId}`) ?? "{}");
    expect([next, queue.map(({ seq }: { seq: number }) => seq)]).toEqual([5, upTo(4)]);
  });
});

describe("a storage that is denied", () => {
  it("is replaced by the page's memory, which a second client of the session shares", async () => {
    const { transport, openTab } = browser();
    const first = openTab({ storage: deniedStorage });
    trackMany(first, 3);
    await soon(first.close());

    const second = openTab({ storage: deniedStorage });
    trackMany(second, 3, 4);
    await soon(second.close());

    expect(seqsOf(transport)).toEqual(upTo(6));
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

describe("what is left in the storage", () => {
  it.each([
    ["not JSON", "{{{"],
    ["no state", "[]"],
    ["null", "null"],
    ["a queue of something else", '{"next":7,"queue":[null]}'],
    ["a queue that is none", '{"next":7,"queue":{}}'],
    ["a number that is none", '{"next":"7","queue":[]}'],
  ])("starts clean when it is damaged: %s", async (_, text) => {
    const { transport, storage, sessionId, openTab } = browser();
    storage.setItem(`attemptlog:${sessionId}`, text);

    const client = openTab({ startSeq: 40 });
    trackMany(client, 2);
    await soon(client.flush());

    expect(seqsOf(transport)).toEqual([40, 41]);
  });

  it("by other sessions goes after 30 days, and is counted", async () => {
    const { storage, openTab } = browser();
    const old = browser();
    trackMany(old.openTab({ storage, transport: unreachable() }), 3);
    await moment();
    leavePage();
    storage.setItem("theirs", "{}");
    vi.setSystemTime(Date.now() + 31 * DAY);
    const dropped: [DropReason, number][] = [];

    openTab({ onDrop: (reason, count) => dropped.push([reason, count]) });

    expect([...storage.content.keys()]).toEqual(["theirs"]);
    expect(dropped).toEqual([["expired", 3]]);
  });

  it("by the session itself stays however long", async () => {
    const { transport, openTab } = browser();
    trackMany(openTab({ transport: unreachable() }), 3);
    await moment();
    vi.setSystemTime(Date.now() + 40 * DAY);

    openTab();
    await moment();

    expect(seqsOf(transport)).toEqual(upTo(3));
  });

  it("by other sessions stays until then", async () => {
    const { storage, openTab } = browser();
    const old = browser();
    trackMany(old.openTab({ storage, transport: unreachable() }), 3);
    await moment();
    vi.setSystemTime(Date.now() + 29 * DAY);

    openTab();

    expect(storage.content.size).toBe(1);
  });
});

it("one look at a long queue makes as few requests as can be", async () => {
  const { transport, openTab } = browser();
  trackMany(openTab({ transport: unreachable() }), 500);
  leavePage();

  openTab();
  await vi.advanceTimersByTimeAsync(1000);

  expect(batchesOf(transport)).toEqual(Array.from({ length: 10 }, () => 50));
});
