// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createTelemetryClient, type TelemetryClient } from "../src/index.js";
import { hidePage, leavePage } from "./support/page.js";
import { browser, moment, upTo } from "./support/sessions.js";

const QUOTA = 64 * 1024;

/** fetch as browsers have it: keepalive bodies in flight share a quota, and what is over it fails in the same task. */
function fetchWithQuota(taken: number) {
  const requests: { keepalive: boolean; bytes: number; seqs: number[]; isRefused: boolean }[] = [];
  let inFlight = taken;
  const fetch = (_: string, { body, keepalive }: { body: string; keepalive: boolean }) => {
    const { events } = JSON.parse(body);
    const isRefused = keepalive && inFlight + body.length > QUOTA;
    requests.push({ keepalive, bytes: body.length, seqs: events.map(({ seq }: { seq: number }) => seq), isRefused });
    if (isRefused) return Promise.reject(new TypeError("Failed to fetch"));
    if (keepalive) inFlight += body.length;
    const reply = Response.json({ accepted: events.length, rejected: 0 }, { status: 202 });
    return new Promise((resolve) =>
      setTimeout(() => {
        if (keepalive) inFlight -= body.length;
        resolve(reply);
      }, 50),
    );
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

  it.each([8, 40, 50, 60, 64])("sends smaller ones when the page has %d KiB of its own in flight", async (kib) => {
    const requests = fetchWithQuota(kib * 1024);
    const client = createTelemetryClient(browser().sessionId, "web");
    trackLarge(client, 9);

    leavePage();
    for (let tick = 0; tick < 200; tick++) await Promise.resolve(); // the task is not over

    expect(arrived(requests)).toEqual(upTo(9));
    expect(requests.length).toBeLessThan(20);
    await moment();
  });

  it("sends no more than it has to when all of it fails", async () => {
    const requests = vi.fn(() => new Promise((_, reject) => setTimeout(reject, 5)));
    vi.stubGlobal("fetch", requests);
    const client = createTelemetryClient(browser().sessionId, "web");
    trackLarge(client, 3);

    hidePage();
    await moment();

    expect(requests).toHaveBeenCalledTimes(1);
  });
});
