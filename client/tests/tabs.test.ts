// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { StorageLike, TelemetryClient } from "../src/index.js";
import { leavePage } from "./support/page.js";
import {
  browser,
  moment,
  never,
  positionsOf,
  seqsOf,
  soon,
  sorted,
  storedOf,
  trackMany,
  unreachable,
  upTo,
} from "./support/sessions.js";
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

const refused = () => Promise.reject(new DOMException("denied", "SecurityError"));

/** What a page may find of Web Locks; the client needs none of it. */
const LOCKS: [string, unknown][] = [
  ["without Web Locks", undefined],
  [
    "with Web Locks that grant everything",
    { request: (_: string, ...more: unknown[]) => (more.at(-1) as () => unknown)() },
  ],
  ["with Web Locks that refuse", { request: refused, query: refused }],
  ["with Web Locks that never answer", { request: () => never, query: () => never }],
  [
    "with Web Locks that throw",
    {
      request: () => {
        throw new DOMException("not fully active", "InvalidStateError");
      },
    },
  ],
];

beforeEach(() => {
  vi.useFakeTimers();
});

describe("seq", () => {
  it("counts from 1 in each load of a page", async () => {
    const { transport, openTab } = browser();
    for (const load of [0, 1, 2]) {
      const client = openTab();
      trackMany(client, 4, 4 * load + 1);
      await soon(client.close());
    }

    expect(seqsOf(transport)).toEqual([...upTo(4), ...upTo(4), ...upTo(4)]);
    expect(new Set(transport.accepted.map(({ stream_id }) => stream_id)).size).toBe(3);
  });

  it.each([1, 18, Number.NaN, -3])("is not touched by the startSeq of older code: %d", async (startSeq) => {
    const { transport, openTab } = browser();
    const client = openTab({ startSeq });
    trackMany(client, 2);
    await soon(client.flush());

    expect(seqsOf(transport)).toEqual([1, 2]);
  });
});

describe.each(LOCKS)("two windows of one session %s", (_, locks) => {
  beforeEach(() => void vi.stubGlobal("navigator", { locks }));

  it("lose nothing a hundred times, whatever the timing, and give no number twice", async () => {
    const random = chance(7);
    for (let run = 0; run < 100; run++) {
      const { transport, openTab } = browser();
      const storages = copies(2, random(60));
      const windows = storages.map((storage) => openTab({ storage }));
      if (random(3) === 0) transport.answer(...Array.from({ length: random(6) }, () => ({ kind: "retry" }) as const));
      let pos = 0;
      for (let step = 0; step < 12; step++) {
        const count = 1 + random(3);
        trackMany(windows[random(2)] as TelemetryClient, count, pos + 1);
        pos += count;
        await vi.advanceTimersByTimeAsync(random(4) ? random(40) : random(15_000));
        if (random(8) === 0) leavePage();
        if (random(8) === 0) windows.splice(random(2), 0, openTab({ storage: storages[1] as StorageLike })); // one more
      }
      await vi.advanceTimersByTimeAsync(60_000);

      expect(sorted(positionsOf(storedOf(transport)))).toEqual(upTo(pos));
      await soon(Promise.all(windows.map((window) => window.close())));
    }
  });

  it("lose nothing when both track in the same instant, a hundred times", async () => {
    const { transport, openTab } = browser();
    const windows = copies(2, 50).map((storage) => openTab({ storage }));
    for (let round = 0; round < 100; round++) {
      for (const [index, window] of windows.entries()) trackMany(window, 1, 2 * round + index + 1);
      await vi.advanceTimersByTimeAsync(0);
    }
    await vi.advanceTimersByTimeAsync(12_500);

    expect(sorted(positionsOf(storedOf(transport)))).toEqual(upTo(200));
  });

  it("do not wait for each other: one that is busy or suspended holds nothing back", async () => {
    const { transport, openTab } = browser();
    const [suspended, client] = [openTab({ transport: () => never }), openTab()];
    trackMany(suspended, 10);
    trackMany(client, 10, 11);
    await moment();

    expect(positionsOf(storedOf(transport))).toEqual(expect.arrayContaining(upTo(20, 11)));
  });
});

/** Repeatable: numbers from 0 to below `below` (a linear congruential generator, Numerical Recipes). */
function chance(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe("what a tab left that is gone", () => {
  it("is sent by one that is open, a flush or two later", async () => {
    const { transport, openTab } = browser();
    const open = openTab();
    await vi.advanceTimersByTimeAsync(13_000);
    const closed = openTab({ transport: unreachable() });
    trackMany(closed, 3);
    await soon(closed.close());

    await vi.advanceTimersByTimeAsync(24_500);

    expect(seqsOf(transport)).toEqual(upTo(3));
    await soon(open.close());
  });

  it("is removed only where it was acknowledged", async () => {
    const { storage, openTab } = browser();
    trackMany(openTab({ transport: unreachable() }), 60);
    const acknowledging = [{ kind: "accepted", rejected: 0 } as const, { kind: "refused", status: 401 } as const];
    const { transport } = browser();
    transport.answer(...acknowledging);

    openTab({ transport });
    await moment();

    expect(storage.content.size).toBe(10);
  });

  it("is left to it while it lives and sends", async () => {
    const { transport, openTab } = browser();
    const [one, two] = [openTab(), openTab()];
    for (let round = 0; round < 40; round++) {
      trackMany(round % 2 ? one : two, 1, round + 1);
      await vi.advanceTimersByTimeAsync(3000);
    }
    await Promise.all([soon(one.close()), soon(two.close())]);

    expect(sorted(seqsOf(transport))).toEqual(sorted(storedOf(transport).map(({ seq }) => seq))); // once each
  });
});
