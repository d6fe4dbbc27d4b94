// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { SendResult } from "../src/index.js";
import { memoryTransport } from "../src/testing.js";
import {
  batchesOf,
  browser,
  moment,
  positionsOf,
  refusing,
  soon,
  storedOf,
  trackMany,
  upTo,
} from "./support/sessions.js";

const refused = (status: number, code?: string, ...codes: string[]): SendResult => ({
  kind: "refused",
  status,
  code,
  reasons: codes.map((code, index) => ({ index, code })),
});
const pos = ({ payload }: { payload?: object }) => (payload as { pos: number }).pos;

beforeEach(() => {
  vi.useFakeTimers();
});

describe("a batch that will never be taken", () => {
  it("because every event in it is invalid goes in one request, and what comes after it goes through", async () => {
    const transport = memoryTransport(refused(400, "every_event_invalid", "unknown_event_type"));
    const onDrop = vi.fn();
    const client = browser().openTab({ transport, onDrop });

    trackMany(client, 50);
    trackMany(client, 25, 51);
    await soon(client.flush());

    expect(positionsOf(storedOf(transport))).toEqual(upTo(75, 51));
    expect(onDrop.mock.calls).toEqual([["rejected", 50, "unknown_event_type"]]);
    expect(transport.requests).toHaveLength(2);
    expect(transport.accepted[0]?.dropped).toEqual({ rejected: 50 });
  });

  it.each<[string, SendResult]>([
    ["400 bad_body", refused(400, "bad_body")],
    ["413", refused(413, "body_too_large")],
    ["a proxy's 413", refused(413)],
    ["a proxy's 400", refused(400)],
    ["a firewall's 403", refused(403)],
    ["a firewall's 406", refused(406)],
    ["422", refused(422)],
  ])("is taken apart until the good ones are through: %s for every third", async (_, refusal) => {
    const transport = refusing((event) => pos(event) % 3 === 0, refusal);
    const onDrop = vi.fn();
    const client = browser().openTab({ transport, onDrop });

    trackMany(client, 48);
    await vi.advanceTimersByTimeAsync(30_000);

    expect(positionsOf(storedOf(transport)).sort((a, b) => a - b)).toEqual(upTo(48).filter((pos) => pos % 3));
    expect(onDrop.mock.calls.reduce((sum, [, count]) => sum + count, 0)).toBe(16);
    expect(new Set(onDrop.mock.calls.map(([reason]) => reason))).toEqual(new Set(["rejected"]));
    expect(transport.requests.length).toBeLessThan(150);
  });

  it("costs few requests when one event of many is bad", async () => {
    const transport = refusing((event) => pos(event) === 31);
    const onDrop = vi.fn();
    const client = browser().openTab({ transport, onDrop });

    trackMany(client, 50);
    await vi.advanceTimersByTimeAsync(30_000);

    expect(positionsOf(storedOf(transport))).toHaveLength(49);
    expect(onDrop.mock.calls).toEqual([["rejected", 1]]);
    expect(transport.requests.length).toBeLessThan(25);
  });

  it.each([
    [60, refused(400, "bad_body")],
    [60, refused(413)],
    [200, refused(400)],
  ])("does not block the session when the first %d are bad", async (bad, refusal) => {
    const transport = refusing((event) => pos(event) <= bad, refusal);
    const onDrop = vi.fn();
    const client = browser().openTab({ transport, onDrop });

    trackMany(client, bad);
    trackMany(client, 25, bad + 1);
    await vi.advanceTimersByTimeAsync(120_000);

    expect(positionsOf(storedOf(transport)).sort((a, b) => a - b)).toEqual(upTo(bad + 25, bad + 1));
    expect(onDrop.mock.calls.reduce((sum, [, count]) => sum + count, 0)).toBe(bad);
    expect(transport.requests.length).toBeLessThan(2.5 * bad + 30);
  });

  it("by 403 goes by the reasons given", async () => {
    const transport = memoryTransport();
    const bad = refusing(() => true, refused(403, "nothing_allowed", ...Array(5).fill("question_not_in_session")));
    const onDrop = vi.fn();
    const client = browser().openTab({
      onDrop,
      transport: (request) => (JSON.parse(request.body).events.some(isBad) ? bad(request) : transport(request)),
    });
    const isBad = (event: { payload: object }) => pos(event) <= 40;

    trackMany(client, 40);
    await moment();
    trackMany(client, 10, 41);
    await vi.advanceTimersByTimeAsync(24_000);

    expect(positionsOf(storedOf(transport))).toEqual(upTo(50, 41));
    expect(onDrop.mock.calls.every(([, , code]) => code === "question_not_in_session")).toBe(true);
    expect(onDrop.mock.calls.reduce((sum, [, count]) => sum + count, 0)).toBe(40);
    expect(bad.requests.length).toBeLessThan(20);
  });
});

describe("a refusal that is not about the content drops nothing", () => {
  it.each([401, 402, 404, 405, 407, 410, 421, 426, 431, 451])("%d", async (status) => {
    const transport = memoryTransport(refused(status), refused(status));
    const onDrop = vi.fn();
    const client = browser().openTab({ transport, onDrop });

    trackMany(client, 20);
    await vi.advanceTimersByTimeAsync(60_000);

    expect(onDrop).not.toHaveBeenCalled();
    expect(batchesOf(transport)).toEqual([20, 20, 20]);
    expect(positionsOf(storedOf(transport))).toEqual(upTo(20));
  });

  it("but about the user: session_not_owned", async () => {
    const transport = memoryTransport(...Array(3).fill(refused(403, "nothing_allowed", "session_not_owned")));
    const onDrop = vi.fn();
    const client = browser().openTab({ transport, onDrop });

    trackMany(client, 20);
    await vi.advanceTimersByTimeAsync(120_000);

    expect(onDrop).not.toHaveBeenCalled();
    expect(batchesOf(transport)).toEqual([20, 20, 20, 20]);
  });

  it.each([400, 403, 413, 422])("but about everything, from whoever stands in the way: %d", async (status) => {
    const down = { is: true };
    const accepting = memoryTransport();
    const onDrop = vi.fn();
    const requests: number[] = [];
    const client = browser().openTab({
      onDrop,
      transport: async (request) => {
        requests.push(performance.now());
        return down.is ? refused(status) : accepting(request);
      },
    });

    trackMany(client, 60);
    await vi.advanceTimersByTimeAsync(20 * 60_000);
    expect(requests.length).toBeLessThan(130);
    down.is = false;
    await client.flush();
    await vi.advanceTimersByTimeAsync(10_000);

    expect(onDrop).not.toHaveBeenCalled();
    expect(positionsOf(storedOf(accepting)).sort((a, b) => a - b)).toEqual(upTo(60));
  });
});

describe("a proxy with a smaller limit than the gateway's", () => {
  it("gets smaller batches, from then on", async () => {
    const transport = memoryTransport();
    const sizes: number[] = [];
    const client = browser().openTab({
      transport: async (request) => {
        sizes.push(request.body.length);
        return request.body.length > 64 * 1024 ? refused(413) : transport(request);
      },
    });
    const large = (count: number, from: number) => {
      for (let pos = from; pos < from + count; pos++)
        client.track("QUESTION_VIEWED", { pos, ...{ note: "x".repeat(4000) } });
    };

    large(100, 1);
    await moment();
    const before = sizes.length;
    large(50, 101);
    await soon(client.flush());

    expect(positionsOf(storedOf(transport))).toEqual(upTo(150));
    expect(sizes.filter((size) => size > 64 * 1024).length).toBeLessThan(4);
    expect(Math.max(...sizes.slice(before))).toBeLessThanOrEqual(64 * 1024);
  });
});
