// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { SendResult } from "../src/index.js";
import { memoryTransport } from "../src/testing.js";
import { showPage } from "./support/page.js";
import {
  browser,
  eventsOf,
  moment,
  positionsOf,
  soon,
  storedOf,
  trackMany,
  unreachable,
  upTo,
} from "./support/sessions.js";

const DAY = 24 * 3600 * 1000;
const NOT_OWNED: SendResult = {
  kind: "refused",
  status: 403,
  code: "nothing_allowed",
  reasons: [{ index: 0, code: "session_not_owned" }],
};

/** Somebody else's session, of which `count` events could not be sent. */
async function abandoned(storage: ReturnType<typeof browser>["storage"], count = 3) {
  const { openTab, sessionId } = browser();
  const client = openTab({ storage, transport: unreachable() });
  trackMany(client, count);
  await soon(client.close());
  return sessionId;
}

beforeEach(() => {
  vi.useFakeTimers();
});

describe("what another session left in the browser", () => {
  it("is sent by the next one, in its own name", async () => {
    const { transport, storage, openTab } = browser();
    const handedIn = await abandoned(storage);

    openTab();
    await moment();

    expect(eventsOf(transport).map(({ session_id }) => session_id)).toEqual([handedIn, handedIn, handedIn]);
    expect(storage.content.size).toBe(0);
  });

  it("goes after the session's own events", async () => {
    const { transport, storage, openTab } = browser();
    await abandoned(storage);
    transport.answer({ kind: "refused", status: 401 });
    const client = openTab();
    trackMany(client, 1, 10);
    await moment();
    await soon(client.flush());

    expect(positionsOf(eventsOf(transport))).toEqual([10, 1, 2, 3]);
  });

  it("brings its source and its drops along", async () => {
    const { transport, storage, openTab } = browser();
    const { createTelemetryClient } = await import("../src/index.js");
    const mobile = createTelemetryClient("01890a5d-ac96-774b-bcce-b302099a8057", "mobile", {
      storage,
      transport: unreachable(),
    });
    mobile.track("QUESTION_VIEWED", [] as never);
    trackMany(mobile, 1);

    openTab();
    await moment();

    expect(transport.accepted).toMatchObject([{ source: "mobile", dropped: { invalid: 1 } }]);
  });

  it("is kept when it is another user's, tried once by each page, and no trouble of this one", async () => {
    const { transport, storage, openTab } = browser();
    await abandoned(storage);
    const onError = vi.fn();
    transport.answer(NOT_OWNED);

    const client = openTab({ onError });
    await moment();
    for (let round = 0; round < 20; round++) {
      trackMany(client, 10);
      await vi.advanceTimersByTimeAsync(12_000);
    }

    expect(storage.content.size).toBe(3);
    expect(transport.requests).toHaveLength(1 + 20);
    expect(onError).not.toHaveBeenCalled();
    await soon(client.close());
    openTab();
    await moment();
    expect(storage.content.size).toBe(0); // its user is back
  });

  it("of 30 days ago is dropped and counted when it is another user's still", async () => {
    const { storage, openTab } = browser();
    await abandoned(storage);
    storage.setItem("theirs", "{}");
    const onDrop = vi.fn();
    for (const days of [29, 2]) {
      expect(storage.content.size).toBe(4);
      vi.setSystemTime(Date.now() + days * DAY);
      const client = openTab({ onDrop, transport: memoryTransport(NOT_OWNED) });
      await soon(client.flush());
      await soon(client.close());
    }

    expect([...storage.content.keys()]).toEqual(["theirs"]);
    expect(onDrop.mock.calls).toEqual([["expired", 3]]);
  });

  it.each([40, -40])("is not dropped by a clock that is %d days off while it cannot be tried", async (days) => {
    const { transport, storage, openTab } = browser();
    await abandoned(storage);
    const now = Date.now();
    vi.setSystemTime(now + days * DAY);
    const onDrop = vi.fn();
    const client = openTab({ onDrop, transport: unreachable() });
    await vi.advanceTimersByTimeAsync(60_000);
    await soon(client.close());
    vi.setSystemTime(now);

    openTab();
    await moment();

    expect(onDrop).not.toHaveBeenCalled();
    expect(positionsOf(storedOf(transport))).toEqual(upTo(3));
  });

  it("of the session itself stays however long", async () => {
    const { storage, openTab } = browser();
    const before = openTab({ transport: unreachable() });
    trackMany(before, 3);
    await soon(before.close());
    vi.setSystemTime(Date.now() + 40 * DAY);

    openTab({ transport: memoryTransport(NOT_OWNED) });
    await moment();

    expect(storage.content.size).toBe(3);
  });

  it("and is refused for its content is taken apart like any other", async () => {
    const { transport, storage, openTab } = browser();
    await abandoned(storage, 60);
    const onDrop = vi.fn();
    transport.answer({ kind: "refused", status: 400, code: "every_event_invalid" });

    openTab({ onDrop });
    await moment();

    expect(onDrop.mock.calls).toEqual([["rejected", 50, "every_event_invalid"]]);
    expect(positionsOf(eventsOf(transport))).toEqual(upTo(60, 51));
    showPage();
  });
});

describe("what a client before streams left", () => {
  const event = (seq: number) => ({
    event_type: "QUESTION_VIEWED",
    client_ts: "2026-03-02T09:14:05.123Z",
    payload: { pos: seq },
    seq,
  });
  const state = (...seqs: number[]) => JSON.stringify({ at: Date.now(), next: 40, queue: seqs.map(event) });

  it("is sent under its numbers, without a stream", async () => {
    const { transport, storage, sessionId, openTab } = browser();
    storage.setItem(`attemptlog:${sessionId}`, state(17, 18));

    openTab();
    await moment();

    expect(transport.accepted).toEqual([
      {
        source: "web",
        sent_at: expect.any(String),
        events: [17, 18].map((seq) => ({ ...event(seq), session_id: sessionId })),
      },
    ]);
    expect(storage.content.size).toBe(0);
  });

  it("by another session, too", async () => {
    const { transport, storage, openTab } = browser();
    storage.setItem("attemptlog:01890a5d-ac96-774b-bcce-b302099a8057", state(5));

    openTab();
    await moment();

    expect(eventsOf(transport)).toMatchObject([{ seq: 5, session_id: "01890a5d-ac96-774b-bcce-b302099a8057" }]);
  });

  it("and had no number yet becomes a stream, the same whoever sends it", async () => {
    const streams = [1, 2].map(async () => {
      const { transport, storage, openTab } = browser();
      storage.setItem("attemptlog:01890a5d-ac96-774b-bcce-b302099a8057:0.7364829104837261", state(1, 2));
      openTab();
      await moment();
      return transport.accepted.map(({ stream_id, events }) => [stream_id, ...events.map(({ seq }) => seq)]);
    });

    expect(await Promise.all(streams)).toEqual([
      [["01890a5d-ac96-774b-bcce-829104837261", 1, 2]],
      [["01890a5d-ac96-774b-bcce-829104837261", 1, 2]],
    ]);
  });

  it.each([
    ["not JSON", "{{{"],
    ["no state", "[]"],
    ["null", "null"],
    ["a queue of something else", '{"next":7,"queue":[null]}'],
    ["a queue that is none", '{"next":7,"queue":{}}'],
  ])("is no trouble when it is damaged: %s", async (_, text) => {
    const { transport, storage, sessionId, openTab } = browser();
    storage.setItem(`attemptlog:${sessionId}`, text);

    const client = openTab();
    trackMany(client, 2);
    await soon(client.flush());

    expect(eventsOf(transport).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it("is not mistaken: a client before streams leaves ours alone", async () => {
    const { storage, sessionId, openTab } = browser();
    trackMany(openTab({ transport: unreachable() }), 1);

    expect([...storage.content.keys()].filter((key) => key.startsWith("attemptlog:"))).toEqual([]);
    expect([...storage.content.keys()].filter((key) => key.includes(sessionId))).toHaveLength(1);
  });
});
