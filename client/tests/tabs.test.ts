// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { SendResult, StorageLike, TelemetryClient } from "../src/index.js";
import { memoryTransport } from "../src/testing.js";
import { withWebLocks } from "./support/locks.js";
import { hidePage, leavePage, showPage } from "./support/page.js";
import { browser, deferred, eventsOf, moment, never, seqsOf, soon, trackMany, upTo } from "./support/sessions.js";
import { memoryStorage } from "./support/storage.js";

/** What one tab writes the others see `delay` ms later, as in Chromium, where each process has a copy. */
function copies(count: number, delay: number): StorageLike[] {
  const all = Array.from({ length: count }, () => memoryStorage());
  return all.map((own) => {
    const onAll = (change: (storage: StorageLike) => void) => {
      change(own);
      for (const other of all) if (other !== own) setTimeout(() => change(other), delay);
    };
    return {
      get length() {
        return own.length;
      },
      key: own.key,
      getItem: own.getItem,
      removeItem: (key) => onAll((storage) => storage.removeItem(key)),
      setItem: (key, value) => onAll((storage) => storage.setItem(key, value)),
    };
  });
}

const sorted = (numbers: number[]) => [...numbers].sort((a, b) => a - b);

beforeEach(() => {
  vi.useFakeTimers();
});

describe("seq", () => {
  it("counts from 1 upward and goes on after a reload", async () => {
    const { transport, openTab } = browser();
    for (const load of [0, 1, 2]) {
      const client = openTab();
      trackMany(client, 4, 4 * load + 1);
      await soon(client.close());
    }

    expect(seqsOf(transport)).toEqual(upTo(12));
  });

  it("starts at startSeq for a session that is resumed on another device", async () => {
    const { transport, openTab } = browser();
    const client = openTab({ startSeq: 18 });
    trackMany(client, 2);
    await soon(client.flush());

    expect(seqsOf(transport)).toEqual([18, 19]);
  });

  it("does not go back to a startSeq that this device is past", async () => {
    const { transport, openTab } = browser();
    for (const startSeq of [5, 6]) {
      const client = openTab({ startSeq });
      trackMany(client, 3);
      await soon(client.close());
    }

    expect(seqsOf(transport)).toEqual(upTo(10, 5));
  });

  it.each([Number.NaN, -3, 0, 1.5, Number.POSITIVE_INFINITY, 2 ** 31])(
    "starts at 1 when startSeq is %d",
    async (startSeq) => {
      const { transport, openTab } = browser();
      const client = openTab({ startSeq });
      trackMany(client, 2);
      await soon(client.flush());

      expect(seqsOf(transport)).toEqual([1, 2]);
    },
  );

  it("goes on when somebody empties the storage under an open page", async () => {
    const { transport, storage, openTab } = browser();
    const client = openTab();
    trackMany(client, 10);
    await moment();
    storage.content.clear();
    trackMany(client, 10, 11);
    await moment();

    expect(seqsOf(transport)).toEqual(upTo(20));
  });
});

describe.each([
  ["with Web Locks", withWebLocks],
  ["without Web Locks", () => vi.stubGlobal("navigator", {})],
])("two tabs of one session %s", (_, prepare) => {
  beforeEach(() => void prepare());

  it("share one count: no number twice, none missing", async () => {
    const { transport, openTab } = browser();
    const [one, two] = [openTab(), openTab()];
    for (let round = 0; round < 10; round++) {
      trackMany(one, 3);
      trackMany(two, 2);
      await vi.advanceTimersByTimeAsync(7 * round);
    }
    await Promise.all([soon(one.close()), soon(two.close())]);

    const unique = [...new Set(seqsOf(transport))];
    expect(sorted(unique)).toEqual(upTo(50));
  });
});

describe("two tabs of one session", () => {
  beforeEach(() => void withWebLocks());

  it("share one count though each sees what the other wrote a little late", async () => {
    const { transport, openTab } = browser();
    const [one, two] = copies(2, 10).map((storage) => openTab({ storage }));
    for (let round = 0; round < 20; round++) {
      one?.track("QUESTION_VIEWED", { pos: 1 });
      two?.track("QUESTION_VIEWED", { pos: 2 });
      await vi.advanceTimersByTimeAsync(9);
    }
    await Promise.all([soon(one?.close() ?? never), soon(two?.close() ?? never)]);

    const bySeq = new Map(
      transport.accepted.flatMap(({ events }) => events.map((event) => [event.seq, event] as const)),
    );
    expect(sorted([...bySeq.keys()])).toEqual(upTo(40));
    expect([...bySeq.values()].filter(({ payload }) => JSON.stringify(payload) === '{"pos":1}')).toHaveLength(20);
  });

  it("do not give a number again that the other one gave an instant ago", async () => {
    const { transport, openTab } = browser();
    const [one, two] = copies(2, 50).map((storage) => openTab({ storage }));
    await moment();
    trackMany(one as TelemetryClient, 3);
    void one?.close();
    trackMany(two as TelemetryClient, 3);
    await soon((two as TelemetryClient).close());

    expect(sorted(seqsOf(transport))).toEqual(upTo(6));
  });

  it("leave the numbering to each other when one goes that does not have the right to it", async () => {
    const { transport, openTab } = browser();
    const [one, two] = copies(2, 10).map((storage) => openTab({ storage }));
    await moment();
    trackMany(two as TelemetryClient, 3); // opened last, it has the right
    await vi.advanceTimersByTimeAsync(0);
    trackMany(one as TelemetryClient, 1, 4);
    leavePage();
    await vi.advanceTimersByTimeAsync(12_500);

    const contents = new Set(eventsOf(transport).map(({ seq, payload }) => `${seq} ${JSON.stringify(payload)}`));
    expect([...contents].sort()).toEqual([1, 2, 3, 4].map((number) => `${number} {"pos":${number}}`));
  });

  it("notice when the right to number is taken from them before they ever used it", async () => {
    const locks = withWebLocks();
    const { storage, sessionId, openTab } = browser();
    const client = openTab();
    await vi.advanceTimersByTimeAsync(50);
    void locks.request(`attemptlog:${sessionId}`, { steal: true }, () => never);
    await vi.advanceTimersByTimeAsync(60);

    trackMany(client, 1);
    leavePage();

    expect([...storage.content.keys()].filter((key) => key.startsWith(`attemptlog:${sessionId}:`))).toHaveLength(1);
  });

  it("have one request in flight between them, so that the order holds", async () => {
    const { transport, openTab } = browser();
    const [one, two] = [openTab(), openTab()];
    const { promise, resolve } = deferred<SendResult>();
    transport.answer(promise);

    trackMany(one, 10);
    await moment();
    trackMany(two, 10);
    await moment();
    expect(transport.requests).toHaveLength(1);
    resolve({ kind: "accepted", rejected: 0 });
    await moment();

    expect(seqsOf(transport)).toEqual(upTo(20));
  });

  it("need not wait for each other for ever: flush resolves while the other is sending", async () => {
    const { transport, openTab } = browser();
    const [one, two] = [openTab(), openTab()];
    transport.answer({ kind: "retry", afterMs: 120_000 });
    trackMany(one, 10);
    await moment();
    trackMany(two, 1);

    const flushed = two.flush();
    await vi.advanceTimersByTimeAsync(10_500);
    await flushed;

    expect(transport.requests).toHaveLength(1);
  });

  it("can track while the other one is suspended with the lock in its hand", async () => {
    const locks = withWebLocks();
    const { transport, sessionId, openTab } = browser();
    locks.request(`attemptlog:${sessionId}`, {}, () => never).catch(() => {}); // until it is stolen
    const client = openTab();

    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(5000);

    expect(seqsOf(transport)).toEqual(upTo(10));
  });

  it("take turns when both are in use", async () => {
    const { transport, openTab } = browser();
    const [one, two] = [openTab(), openTab()];

    for (let round = 0; round < 100; round++) {
      trackMany(one, 1);
      trackMany(two, 1);
      await vi.advanceTimersByTimeAsync(20);
    }
    expect(transport.accepted.length).toBeGreaterThan(1);
    await Promise.all([soon(one.close()), soon(two.close())]);

    expect(sorted([...new Set(seqsOf(transport))])).toEqual(upTo(200));
  });

  it("need not wait for one that is hidden", async () => {
    const { transport, openTab } = browser();
    const hidden = openTab();
    trackMany(hidden, 10);
    await moment();
    hidePage();
    trackMany(hidden, 1, 11);
    await moment();
    showPage();
    const shown = openTab();
    await vi.advanceTimersByTimeAsync(110);

    trackMany(shown, 10, 12);
    await vi.advanceTimersByTimeAsync(0);

    expect(seqsOf(transport)).toEqual(upTo(21));
  });

  it("send what a tab left that was closed", async () => {
    const { transport, openTab } = browser();
    const closed = openTab({ transport: memoryTransport({ kind: "refused", status: 401 }) });
    const open = openTab();
    trackMany(closed, 3);
    await soon(closed.close());

    await soon(open.flush());

    expect(seqsOf(transport)).toEqual(upTo(3));
  });

  it("lose nothing when one goes that could not number its last events in time: the other one does it", async () => {
    const { transport, openTab } = browser();
    const [one, two] = [openTab(), openTab()];

    trackMany(one, 5);
    trackMany(two, 5);
    leavePage();
    await vi.advanceTimersByTimeAsync(12_500);

    const unique = [...new Set(seqsOf(transport))];
    expect(sorted(unique)).toEqual(upTo(10));
  });
});
