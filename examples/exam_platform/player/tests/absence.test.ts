import { afterEach, expect, it, vi } from "vitest";
import { watchAbsence } from "../src/absence";
import type { Track } from "../src/journey";
import { memorySlot } from "./memory-slot";

const stops: (() => void)[] = [];
let time = 1_000_000;

function watch(memory = memorySlot()) {
  const track = vi.fn<Track>();
  stops.push(watchAbsence(track, memory, () => time));
  return { track, memory, payloads: () => track.mock.calls.map(([, payload]) => payload) };
}

function setPage(visibility: DocumentVisibilityState, hasFocus = visibility === "visible"): void {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(visibility);
  vi.spyOn(document, "hasFocus").mockReturnValue(hasFocus);
  document.dispatchEvent(new Event("visibilitychange"));
}

const happen = (name: string) => window.dispatchEvent(new Event(name));

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.restoreAllMocks();
});

it("reports that the window lost the focus, and how long", () => {
  const { track } = watch();
  happen("blur");
  time += 5_300;
  happen("focus");
  expect(track.mock.calls).toEqual([
    ["PAUSE_BLUR", { state: "blur" }],
    ["PAUSE_BLUR", { state: "focus", away_ms: 5_300 }],
  ]);
});

it("reports one absence however often the browser says so", () => {
  const { payloads } = watch();
  happen("blur");
  setPage("hidden");
  happen("blur");
  setPage("visible");
  happen("focus");
  expect(payloads()).toEqual([{ state: "blur" }, { state: "focus", away_ms: 0 }]);
});

it("is back only with the focus", () => {
  const { payloads } = watch();
  setPage("hidden");
  setPage("visible", false);
  expect(payloads()).toEqual([{ state: "blur" }]);
});

it("takes the focus of an element for none of its business", () => {
  const { track } = watch();
  const input = document.body.appendChild(document.createElement("input"));
  input.focus();
  input.blur();
  input.remove();
  expect(track).not.toHaveBeenCalled();
});

it("takes a reload or a closed tab for no absence", () => {
  const { track } = watch();
  happen("pagehide");
  setPage("hidden");
  happen("blur");
  expect(track).not.toHaveBeenCalled();
});

it("watches on when the page comes back from the back button's cache", () => {
  const { payloads } = watch();
  happen("pagehide");
  happen("pageshow");
  happen("blur");
  expect(payloads()).toEqual([{ state: "blur" }]);
});

it("ends an absence that began before the page was loaded anew", () => {
  const before = watch();
  happen("blur");
  stops.pop()?.();
  time += 60_000;
  setPage("visible");
  const after = watch(before.memory);
  expect(after.payloads()).toEqual([{ state: "focus", away_ms: 60_000 }]);
  expect(before.memory.read()).toBeNull();
});

it("never reports a time below zero, whatever the clock does", () => {
  const { payloads } = watch();
  happen("blur");
  time -= 60_000;
  happen("focus");
  expect(payloads()[1]).toEqual({ state: "focus", away_ms: 0 });
});
