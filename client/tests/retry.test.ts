import { describe, expect, it } from "vitest";
import { backoff, parseRetryAfter } from "../src/retry.js";

const NOW = Date.parse("2026-03-02T09:14:05Z");

describe("Retry-After", () => {
  it.each([
    ["0", 0],
    ["7", 7000],
    ["1.5", 1500],
    ["Mon, 02 Mar 2026 09:14:35 GMT", 30_000],
    ["Mon, 02 Mar 2026 09:14:00 GMT", undefined],
    ["-1", undefined],
    ["soon", undefined],
    ["", undefined],
    [null, undefined],
  ])("%j means %s ms", (header, ms) => {
    expect(parseRetryAfter(header, NOW)).toBe(ms);
  });
});

describe("backoff", () => {
  it("is anything up to 1 s, then 2 s", () => {
    expect([backoff(0, () => 0), backoff(0, () => 1), backoff(1, () => 1)]).toEqual([0, 1000, 2000]);
  });
});
