// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { MemoryTransport } from "../src/testing.js";
import { leavePage } from "./support/page.js";
import { browser, moment, trackMany } from "./support/sessions.js";

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0); // no waits
});

/** Flushes and retries, as each request tells them. */
const told = ({ requests }: MemoryTransport) =>
  requests.map(({ accept }) => /^application\/json;flushes=([01]);retries=(\d+)$/.exec(accept)?.slice(1).map(Number));

describe("what the gateway's metrics hear with each request", () => {
  it("a flush, once, however many batches it has", async () => {
    const { transport, openTab } = browser();
    const client = openTab();

    trackMany(client, 101);
    await client.flush();
    trackMany(client, 1, 102);
    await client.flush();

    expect(told(transport)).toEqual([
      [1, 0],
      [0, 0],
      [0, 0],
      [1, 0],
    ]);
  });

  it("the requests that failed, until one is accepted, over flushes that gave up", async () => {
    const { transport, openTab } = browser();
    const client = openTab();
    transport.answer({ kind: "retry" }, { kind: "retry" }, { kind: "retry" }, { kind: "retry" });

    trackMany(client, 10);
    await vi.advanceTimersByTimeAsync(10);
    await client.flush();
    trackMany(client, 1, 11);
    await client.flush();

    expect(told(transport)).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [1, 0],
    ]);
  });

  it("of a page that goes, too", async () => {
    const { transport, openTab } = browser();
    const client = openTab();

    trackMany(client, 2);
    leavePage();
    await moment();

    expect(told(transport)).toEqual([[1, 0]]);
  });
});
