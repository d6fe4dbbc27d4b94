import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ApiResult } from "../src/api";
import { delayMs, untilAnswered } from "../src/retry";

const nobody: ApiResult<string> = { ok: false, status: 0, detail: "" };
const answer: ApiResult<string> = { ok: true, value: "here" };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("waits longer each time, up to a bound, half of it random", () => {
  expect([0, 1, 2, 3, 9].map((failures) => delayMs(failures, () => 1))).toEqual([1_000, 2_000, 4_000, 8_000, 15_000]);
  expect(delayMs(0, () => 0)).toBe(500);
});

it("repeats a call until somebody answers", async () => {
  const call = vi.fn<() => Promise<ApiResult<string>>>().mockResolvedValueOnce(nobody).mockResolvedValue(answer);
  const onTrouble = vi.fn();
  const result = untilAnswered(call, new AbortController().signal, onTrouble);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await result).toEqual(answer);
  expect(onTrouble).toHaveBeenCalledTimes(1);
});

it("takes a refusal for an answer", async () => {
  const refusal: ApiResult<string> = { ok: false, status: 404, detail: "" };
  expect(await untilAnswered(async () => refusal, new AbortController().signal)).toEqual(refusal);
});

it("tries at once when the browser is online again", async () => {
  const call = vi.fn<() => Promise<ApiResult<string>>>().mockResolvedValueOnce(nobody).mockResolvedValue(answer);
  const result = untilAnswered(call, new AbortController().signal);
  await vi.advanceTimersByTimeAsync(0);
  window.dispatchEvent(new Event("online"));
  expect(await result).toEqual(answer);
});

it("ends without an answer when nobody wants it any more", async () => {
  const stop = new AbortController();
  const result = untilAnswered(async () => nobody, stop.signal);
  await vi.advanceTimersByTimeAsync(0);
  stop.abort();
  expect(await result).toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
});
