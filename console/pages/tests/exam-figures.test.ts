import { describe, expect, it } from "vitest";
import { fromLocal, toLocal } from "../src/views/exam/filter";
import { histogram, medianOf } from "../src/views/exam/histogram";
import { positionTicks } from "../src/views/exam/questions";
import { stepFor, ticksBetween, ticksTo, tickText } from "../src/views/exam/time-axis";
import { percent, signed } from "../src/words";
import { questionOf } from "./fake-api";

describe("histogram", () => {
  it.each([[[0]], [[59_999, 60_000]], [[1, 100, 86_400_000]], [Array.from({ length: 5_000 }, (_, at) => 7_919 * at)]])(
    "counts each time once, in bins that meet, of which there are not too many",
    (times) => {
      const bins = histogram(times);
      expect(bins.reduce((sum, bin) => sum + bin.sessions, 0)).toBe(times.length);
      expect(bins.length).toBeLessThanOrEqual(16);
      for (const [index, bin] of bins.entries()) {
        expect(bin.sessions).toBe(times.filter((time) => bin.from <= time && time < bin.to).length);
        expect(bin.to).toBe(bins[index + 1]?.from ?? bin.to);
      }
    },
  );

  it("of nothing has no bin", () => expect(histogram([])).toEqual([]));
});

it.each<[number[], number | null]>([
  [[], null],
  [[3], 3],
  [[9, 1], 5],
  [[9, 1, 2], 2],
])("the median of %j is %s", (times, median) => {
  expect(medianOf(times)).toBe(median);
});

describe("an axis of time", () => {
  it.each([0, 1, 999, 4_200, 61_000, 3_600_001, 90_000_000, 9_000_000_000])("has few ticks up to %s ms", (ms) => {
    const ticks = ticksTo(ms, 5);
    expect(ticks.length).toBeLessThanOrEqual(6);
    expect(ticks.at(-1)).toBeGreaterThanOrEqual(ms);
    expect(stepFor(ms, 5)).toBeGreaterThan(0);
  });

  it("has no tick outside of it", () => {
    expect(ticksBetween(840_000, 1_920_000, 5)).toEqual([900_000, 1_200_000, 1_500_000, 1_800_000]);
  });

  it.each([
    [0, "0"],
    [30_000, "30 s"],
    [120_000, "2 min"],
    [5_400_000, "1 h 30 min"],
    [75_000, "1 min 15 s"],
  ])("%s is %s", (ms, text) => {
    expect(tickText(ms)).toBe(text);
  });
});

it("an axis of questions numbers as many as there is room for", () => {
  const questions = Array.from({ length: 60 }, (_, index) => questionOf(index + 1));
  expect(positionTicks(questions.slice(0, 6), 560)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(positionTicks(questions, 560)).toEqual([1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60]);
  expect(positionTicks(questions, 280)).toEqual([1, 10, 20, 30, 40, 50, 60]);
});

it.each(["2026-03-02T08:00", "2026-10-25T02:30", "2024-02-29T23:59"])(
  "the local time %s survives the address",
  (local) => {
    expect(toLocal(fromLocal(local))).toBe(local);
  },
);

it.each(["", "yesterday", "2026-02-31T99:00"])("%j is no time", (text) => {
  expect(fromLocal(text)).toBeUndefined();
  expect(toLocal(text)).toBe("");
});

it("numbers are written as they are read", () => {
  expect([0, 0.004, 0.834, 1].map(percent)).toEqual(["0 %", "0.4 %", "83 %", "100 %"]);
  expect([-61.4, -0.3, 0, 44.6].map(signed)).toEqual(["−61", "0", "0", "45"]);
});
