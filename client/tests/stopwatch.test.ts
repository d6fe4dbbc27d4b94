import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { stopwatch } from "../src/stopwatch.js";

const MINUTE_MS = 60_000;

let steady = 5_000;
let wall = 1_700_000_000_000;

beforeEach(() => {
  vi.spyOn(performance, "now").mockImplementation(() => steady);
  vi.spyOn(Date, "now").mockImplementation(() => wall);
});

afterEach(() => vi.restoreAllMocks());

it("says how long, when both clocks say so", () => {
  const elapsed = stopwatch();
  steady += 5_300.4;
  wall += 5_301;
  expect(elapsed()).toBe(5_300);
});

it.each([
  ["the machine slept, which one clock does not count", 5_000, 30 * MINUTE_MS],
  ["the clock was set back", MINUTE_MS, -180 * MINUTE_MS],
  ["the clock was set forward", MINUTE_MS, 57_600 * MINUTE_MS],
])("does not say when %s", (_, bySteady, byWall) => {
  const elapsed = stopwatch();
  steady += bySteady;
  wall += byWall;
  expect(elapsed()).toBeUndefined();
});

it("takes the small corrections of a clock for none", () => {
  const elapsed = stopwatch();
  steady += MINUTE_MS;
  wall += MINUTE_MS - 900;
  expect(elapsed()).toBe(MINUTE_MS);
});
