import { expect, it } from "vitest";
import { deadlineOf, formatRemaining, msToNextSecond, urgencyOf } from "../src/countdown";

it("goes by the difference of the server's times, however wrong this clock is", () => {
  const session = { server_now: "2026-03-02T09:00:00Z", expires_at: "2026-03-02T09:30:00Z" };
  const wrongNow = Date.parse("1999-12-31T23:00:00Z");
  expect(deadlineOf(session, wrongNow) - wrongNow).toBe(30 * 60_000);
});

it.each([
  [1_800_000, "30:00"],
  [1_799_999, "30:00"],
  [61_000, "1:01"],
  [1, "0:01"],
  [0, "0:00"],
  [-5_000, "0:00"],
  [3_600_000, "1:00:00"],
  [3_661_000, "1:01:01"],
])("shows %i ms as %s", (remaining, text) => {
  expect(formatRemaining(remaining)).toBe(text);
});

it.each([
  [300_001, "calm"],
  [300_000, "soon"],
  [60_001, "soon"],
  [60_000, "last"],
  [0, "last"],
])("is with %i ms left %s", (remaining, urgency) => {
  expect(urgencyOf(remaining)).toBe(urgency);
});

it.each([
  [61_000, 1_000],
  [61_250, 250],
])("shows another text after %i ms in %i ms", (remaining, wait) => {
  expect(msToNextSecond(remaining)).toBe(wait);
});
