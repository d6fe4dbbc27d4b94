import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createJourney, kindOfMove, type Track } from "../src/journey";

function travel() {
  const track = vi.fn<Track>();
  const journey = createJourney(track);
  return {
    track,
    journey,
    after(ms: number) {
      vi.advanceTimersByTime(ms);
      return journey;
    },
  };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"] }));
afterEach(() => void vi.useRealTimers());

const [first, second, fifth] = [
  { id: "q1", pos: 1 },
  { id: "q2", pos: 2 },
  { id: "q5", pos: 5 },
];

it("says that the first question is seen", () => {
  const { journey, track } = travel();
  journey.show(first);
  expect(track.mock.calls).toEqual([["QUESTION_VIEWED", { pos: 1 }, "q1"]]);
});

it("reports the move, with the question that is left, before the question that is seen", () => {
  const { journey, track, after } = travel();
  journey.show(first);
  after(2_260.4).show(second);
  expect(track.mock.calls.slice(1)).toEqual([
    ["NAVIGATE_NEXT", { from_pos: 1, to_pos: 2, dwell_ms: 2_260 }, "q1"],
    ["QUESTION_VIEWED", { pos: 2 }, "q2"],
  ]);
});

it.each([
  [3, 4, "NAVIGATE_NEXT"],
  [4, 3, "NAVIGATE_PREV"],
  [3, 7, "NAVIGATE_JUMP"],
  [7, 3, "NAVIGATE_JUMP"],
])("calls the move from %i to %i %s", (from, to, kind) => {
  expect(kindOfMove(from, to)).toBe(kind);
});

it("says the same once when the same question is shown twice", () => {
  const { journey, track } = travel();
  journey.show(first);
  journey.show(first);
  expect(track).toHaveBeenCalledTimes(1);
});

it("sees a question again after another page, without a move when it is the same one", () => {
  const { journey, track } = travel();
  journey.show(first);
  journey.leave();
  journey.show(first);
  expect(track.mock.calls.map(([type]) => type)).toEqual(["QUESTION_VIEWED", "QUESTION_VIEWED"]);
});

it("does not count the time on another page as time on the question", () => {
  const { journey, track, after } = travel();
  journey.show(first);
  after(500).leave();
  after(60_000).leave();
  after(60_000).show(fifth);
  expect(track.mock.calls[1]).toEqual(["NAVIGATE_JUMP", { from_pos: 1, to_pos: 5, dwell_ms: 500 }, "q1"]);
});

it("does not say how long a question was on the screen when the clock was set meanwhile", () => {
  const { journey, track, after } = travel();
  journey.show(first);
  vi.setSystemTime(Date.now() - 3_600_000);
  after(2_000).show(second);
  expect(track.mock.calls[1]).toEqual(["NAVIGATE_NEXT", { from_pos: 1, to_pos: 2 }, "q1"]);
});
