import { act } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { compact, reporter } from "../src/live-events";
import { choose, control, eventually, leave, platform, sees, setUp, sit, tearDown } from "./browser";

beforeEach(setUp);
afterEach(tearDown);

const polls = () => platform.calls.filter((call) => call.endsWith("/events") && call.startsWith("GET")).length;

it("shows the stored events, newest first", async () => {
  platform.events = [
    { event_type: "QUESTION_VIEWED", seq: 1, question_id: null, payload: { pos: 1 } },
    { event_type: "PAUSE_BLUR", seq: 2, question_id: null, payload: { state: "blur" } },
  ];
  await sit();
  await sees("2 stored");
  const rows = [...document.querySelectorAll("[data-testid=stored-event]")].map((row) => row.textContent);
  expect(rows).toEqual([
    "2PAUSE_BLURpagestate blurstored after 140 ms",
    "1QUESTION_VIEWEDpagepos 1stored after 140 ms",
  ]);
});

it("does not ask while it is off, and stays off at the next visit", async () => {
  await sit();
  await eventually(() => expect(polls()).toBeGreaterThan(0));
  await choose("Live events");
  await leave();
  const before = polls();
  await sit();
  expect(control("input", "Live events")).toHaveProperty("checked", false);
  expect(polls()).toBe(before);
});

it("asks once a second, and not while nobody looks", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    await sit();
    const before = polls();
    await act(() => vi.advanceTimersByTimeAsync(3_000));
    expect(polls()).toBe(before + 3);
    vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    await act(() => vi.advanceTimersByTimeAsync(10_000));
    expect(polls()).toBe(before + 3);
  } finally {
    vi.useRealTimers();
  }
});

it("says quietly that there is no connection", async () => {
  platform.failing = { path: "/events", status: 0 };
  await sit();
  await sees("no connection");
});

it("writes a payload in one line", () => {
  expect(compact({ from_pos: 3, marked: true, state: "blur", more: [1] })).toBe(
    "from_pos 3 · marked true · state blur · more [1]",
  );
});

it.each([
  ["web", "page"],
  ["api", "service"],
  ["mobile", "mobile"],
  [null, "unknown"],
])("says that an event of source %s comes from: %s", (source, name) => {
  expect(reporter(source)).toBe(name);
});
