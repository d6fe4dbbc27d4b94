// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { SendResult } from "../src/index.js";
import { hidePage, leavePage } from "./support/page.js";
import {
  batchesOf,
  browser,
  deferred,
  eventsOf,
  moment,
  never,
  seqsOf,
  soon,
  trackMany,
  upTo,
} from "./support/sessions.js";

const NOW = new Date("2026-03-02T09:14:05.123Z");

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
});

describe("an event", () => {
  it("is sent as it was tracked, with session, seq and the time it happened", async () => {
    const { transport, sessionId, openTab } = browser();
    const client = openTab();

    client.track("NAVIGATE_NEXT", { from_pos: 3, to_pos: 4, dwell_ms: 12480 }, "01890a5d-ac96-774b-bcce-b302099a8001");
    await vi.advanceTimersByTimeAsync(1000);
    client.track("REVIEW_OPENED");
    await vi.advanceTimersByTimeAsync(12_000);

    expect(transport.accepted).toEqual([
      {
        source: "web",
        stream_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/),
        sent_at: "2026-03-02T09:14:17.123Z",
        events: [
          {
            event_type: "NAVIGATE_NEXT",
            session_id: sessionId,
            question_id: "01890a5d-ac96-774b-bcce-b302099a8001",
            seq: 1,
            client_ts: "2026-03-02T09:14:05.123Z",
            payload: { from_pos: 3, to_pos: 4, dwell_ms: 12480 },
          },
          { event_type: "REVIEW_OPENED", session_id: sessionId, seq: 2, client_ts: "2026-03-02T09:14:06.123Z" },
        ],
      },
    ]);
  });

  it("is not touched by later changes of its payload", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    const payload = { pos: 1 };

    client.track("QUESTION_VIEWED", payload);
    payload.pos = 2;
    await soon(client.flush());

    expect(eventsOf(transport)[0]?.payload).toEqual({ pos: 1 });
  });
});

describe("events are sent", () => {
  it("as soon as there are 10", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    await moment();

    trackMany(client, 9);
    await moment();
    expect(transport.requests).toHaveLength(0);
    trackMany(client, 1, 10);
    await moment();

    expect(batchesOf(transport)).toEqual([10]);
  });

  it("every 12 seconds", async () => {
    const { transport, openTab } = browser();
    const client = openTab();

    trackMany(client, 3);
    await vi.advanceTimersByTimeAsync(11_900);
    expect(transport.requests).toHaveLength(0);
    await moment();
    expect(batchesOf(transport)).toEqual([3]);
    trackMany(client, 2, 4);
    await vi.advanceTimersByTimeAsync(12_000);

    expect(batchesOf(transport)).toEqual([3, 2]);
  });

  it("when the page is hidden, in a way that outlives it", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    await moment();

    trackMany(client, 3);
    hidePage();
    await moment();

    expect(transport.requests.map(({ keepalive }) => keepalive)).toEqual([true]);
    expect(seqsOf(transport)).toEqual([1, 2, 3]);
  });

  it("when the page is hidden, with what the page itself tracks about that", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    await moment();
    const blur = () => client.track("PAUSE_BLUR", { state: "blur" });
    document.addEventListener("visibilitychange", blur, { once: true });

    hidePage();
    await vi.advanceTimersByTimeAsync(1);

    expect(eventsOf(transport).map(({ event_type }) => event_type)).toEqual(["PAUSE_BLUR"]);
  });

  it("when the page goes, before the handler returns", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    await moment();

    trackMany(client, 3);
    leavePage();

    expect(transport.requests.map(({ keepalive }) => keepalive)).toEqual([true]);
    expect(batchesOf(transport)).toEqual([3]);
  });

  it("not at all when there are none", async () => {
    const { transport, openTab } = browser();
    const client = openTab();

    await vi.advanceTimersByTimeAsync(60_000);
    hidePage();
    leavePage();
    await soon(client.close());

    expect(transport.requests).toHaveLength(0);
  });

  it("at most 50 a request", async () => {
    const { transport, openTab } = browser();
    const client = openTab();

    trackMany(client, 120);
    await vi.advanceTimersByTimeAsync(1000);

    expect(batchesOf(transport)).toEqual([50, 50, 20]);
    expect(seqsOf(transport)).toEqual(upTo(120));
  });

  it("with one request in flight, so that the order holds", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    const { promise, resolve } = deferred<SendResult>();
    transport.answer(promise);

    trackMany(client, 10);
    await moment();
    trackMany(client, 30, 11);
    void client.flush();
    await vi.advanceTimersByTimeAsync(12_000);
    expect(transport.requests).toHaveLength(1);
    resolve({ kind: "accepted", rejected: 0 });
    await moment();

    expect(batchesOf(transport)).toEqual([10, 30]);
    expect(seqsOf(transport)).toEqual(upTo(40));
  });
});

describe("flush", () => {
  it("resolves when everything tracked before it is sent, also during another flush", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    await moment();
    let sent = 0;

    for (let round = 1; round <= 5; round++) {
      trackMany(client, 1, round);
      void client.flush();
      trackMany(client, 1, round);
      void client.flush().then(() => {
        sent = seqsOf(transport).length;
      });
      await vi.advanceTimersByTimeAsync(27 * round); // ends within the one before, at different places
    }
    await moment();

    expect(seqsOf(transport)).toEqual(upTo(10));
    expect(sent).toBe(10);
  });

  it("looks once more when it is asked while another one is about to end", async () => {
    for (let ticks = 0; ticks < 40; ticks++) {
      const { transport, openTab } = browser();
      const client = openTab();
      await moment();
      void client.flush();
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();

      trackMany(client, 1);
      const asked = client.flush();
      await vi.advanceTimersByTimeAsync(0);
      await asked;

      expect(seqsOf(transport)).toEqual([1]);
    }
  });
});

describe("bodies that outlive the page", () => {
  const large = "x".repeat(3000);

  it("are cut to 32 KiB in all, for the page has requests of its own", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(never);
    for (let pos = 1; pos <= 30; pos++) client.track("QUESTION_VIEWED", { pos, ...{ note: large } });
    await moment();
    const before = transport.requests.length;

    leavePage();

    const bodies = transport.requests.slice(before).map(({ body }) => body);
    expect(bodies.join("").length).toBeLessThanOrEqual(32 * 1024);
    expect(bodies.join("").length).toBeGreaterThan(28 * 1024);
  });

  it("are small, so that some go through when the page's own take most of the quota", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer(never);
    trackMany(client, 120);
    await moment();

    leavePage();

    const bodies = transport.requests.slice(1).map(({ body }) => body);
    expect(Math.max(...bodies.map(({ length }) => length))).toBeLessThanOrEqual(8 * 1024);
    expect(bodies.flatMap((body) => JSON.parse(body).events)).toHaveLength(120);
  });

  it("are counted in bytes, not in characters", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    await moment();
    transport.answer(never);
    for (let index = 0; index < 30; index++)
      client.track("QUESTION_VIEWED", { pos: index, ...{ note: "…".repeat(1000) } });

    leavePage();

    const bytes = transport.requests
      .filter(({ keepalive }) => keepalive)
      .reduce((sum, { body }) => sum + new TextEncoder().encode(body).length, 0);
    expect(bytes).toBeLessThanOrEqual(32 * 1024);
    expect(bytes).toBeGreaterThan(28 * 1024);
  });

  it("in flight count, and are not sent a second time", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    await moment();
    transport.answer(...Array.from({ length: 20 }, () => never));
    for (let pos = 1; pos <= 30; pos++) client.track("QUESTION_VIEWED", { pos, ...{ note: large } });

    hidePage();
    await moment();
    leavePage();

    const sent = transport.requests.filter(({ keepalive }) => keepalive);
    expect(sent.reduce((sum, { body }) => sum + body.length, 0)).toBeLessThanOrEqual(32 * 1024);
    const seqs = sent.flatMap(({ body }) => JSON.parse(body).events.map((event: { seq: number }) => event.seq));
    expect(new Set(seqs).size).toBe(seqs.length);
  });

  it("go once more when they were not accepted and the page goes after all", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    await moment();
    transport.answer({ kind: "retry" });
    trackMany(client, 3);

    hidePage();
    await moment();
    leavePage();
    await moment();

    expect(transport.requests.map(({ keepalive }) => keepalive)).toEqual([true, true]);
    expect(seqsOf(transport)).toEqual([1, 2, 3]);
  });

  it("leave what is over the limit to the next flush", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    await moment();
    for (let pos = 1; pos <= 30; pos++) client.track("QUESTION_VIEWED", { pos, ...{ note: large } });

    hidePage();
    await vi.advanceTimersByTimeAsync(12_500);

    expect(seqsOf(transport)).toEqual(upTo(30));
  });
});
