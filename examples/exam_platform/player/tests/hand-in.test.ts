import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { ApiResult } from "../src/api";
import { handIn, MAX_FLUSH_WAIT_MS } from "../src/hand-in";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function steps(result: ApiResult<unknown> = { ok: true, value: {} }) {
  const order: string[] = [];
  return {
    order,
    settle: vi.fn(async () => order.push("settle") > 0),
    flush: vi.fn(async () => void order.push("flush")),
    submit: vi.fn(async () => {
      order.push("submit");
      return result;
    }),
  };
}

it("saves the answers and sends the events before it submits", async () => {
  const all = steps();
  expect(await handIn(all)).toBe("closed");
  expect(all.order.at(-1)).toBe("submit");
  expect([...all.order].sort()).toEqual(["flush", "settle", "submit"]);
});

it("waits for telemetry no longer than its bound", async () => {
  const all = { ...steps(), flush: () => new Promise<void>(() => {}) };
  const outcome = handIn(all);
  await vi.advanceTimersByTimeAsync(MAX_FLUSH_WAIT_MS - 1);
  expect(all.submit).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(await outcome).toBe("closed");
});

it("does not submit while an answer is not saved", async () => {
  const all = { ...steps(), settle: async () => false };
  expect(await handIn(all)).toBe("unsaved");
  expect(all.submit).not.toHaveBeenCalled();
});

it.each([
  [0, "unreachable"],
  [503, "unreachable"],
  [409, "closed"],
  [401, "closed"],
])("takes status %i for %s", async (status, outcome) => {
  expect(await handIn(steps({ ok: false, status, detail: "" }))).toBe(outcome);
});
