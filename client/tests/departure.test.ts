// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createTelemetryClient, type TelemetryClient } from "../src/index.js";
import { hidePage, leavePage } from "./support/page.js";
import { browser, moment, upTo } from "./support/sessions.js";

const QUOTA = 64 * 1024;

const ROUND_TRIP_MS = 50;

/** fetch as browsers have it: keepalive bodies in flight share a quota, and what is over it fails a little later. */
function fetchWithQuota(taken: number) {
  const requests: { keepalive: boolean; bytes: number; seqs: number[]; isRefused: boolean }[] = [];
  let inFlight = taken;
  const fetch = (_: string, { body, keepalive }: { body: string; keepalive: boolean }) => {
    const { events } = JSON.parse(body);
    const isRefused = keepalive && inFlight + body.length > QUOTA;
    requests.push({ keepalive, bytes: body.length, seqs: events.map(({ seq }: { seq: number }) => seq), isRefused });
    const kept = keepalive && !isRefused ? body.length : 0;
    inFlight += kept;
    return new Promise((resolve, reject) => {
      if (isRefused) setTimeout(reject, 1, new TypeError("Failed to fetch"));
      else setTimeout(resolve, ROUND_TRIP_MS, Response.json({ accepted: events.length, rejected: 0 }, { status: 202 }));
      setTimeout(() => {
        inFlight -= kept;
      }, ROUND_TRIP_MS);
    });
  };
  vi.stubGlobal("fetch", fetch);
  return requests;
}

function trackLarge(client: TelemetryClient, count: number) {
  for (let pos = 1; pos <= count; pos++) client.track("QUESTION_VIEWED", { pos, ...{ note: "x".repeat(3000) } });
}

const arrived = (requests: ReturnType<typeof fetchWithQuota>) =>
  [...new Set(requests.filter(({ isRefused }) => !isRefused).flatMap(({ seqs }) => seqs))].sort((a, b) => a - b);

beforeEach(() => {
  vi.useFakeTimers();
  localStorage.clear();
});

describe("a page that goes", () => {
  it("takes half of the quota at most: the rest is the page's own", async () => {
    const requests = fetchWithQuota(0);
    const client = createTelemetryClient(browser().sessionId, "web");
    trackLarge(client, 9);
    leavePage();

    expect(requests.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(QUOTA / 2);
    expect(requests.every(({ keepalive }) => keepalive)).toBe(true);
    await moment();
  });

  it.each([8, 40, 50])(
    "gets some through with %d KiB of the page's own in flight, whatever comes of the rest",
    (kib) => {
      const requests = fetchWithQuota(kib * 1024);
      const client = createTelemetryClient(browser().sessionId, "web");
      trackLarge(client, 9);

      leavePage(); // and is gone: nothing runs any more

      expect(arrived(requests).length).toBeGreaterThan(0);
    },
  );

  it.each([8, 40, 50, 60, 64])(
    "and is only hidden sends the rest at once, with %d KiB of its own in flight",
    async (kib) => {
      const requests = fetchWithQuota(kib * 1024);
      const client = createTelemetryClient(browser().sessionId, "web");
      trackLarge(client, 9);

      hidePage();
      await moment();

      expect(arrived(requests)).toEqual(upTo(9));
      expect(requests.length).toBeLessThan(8);
    },
  );

  it("sends no more than it has to when all of it fails", async () => {
    const requests = vi.fn(() => new Promise((_, reject) => setTimeout(reject, 5)));
    vi.stubGlobal("fetch", requests);
    const client = createTelemetryClient(browser().sessionId, "web");
    trackLarge(client, 3); // of which two fit

    hidePage();
    await vi.advanceTimersByTimeAsync(10_000);
    hidePage();
    await moment();

    expect(requests.mock.calls.length).toBeLessThanOrEqual(2 * 2 + 3 + 1); // by each hide, and by the flushes after them
  });
});
