// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { watchAbsence } from "../src/absence.js";
import type { TelemetryClient } from "../src/client.js";

const SESSION = "01890a5d-ac96-774b-bcce-b302099a8057";
const SETTLED_MS = 250;

const stops: (() => void)[] = [];

function watch(session = SESSION) {
  const track = vi.fn<TelemetryClient["track"]>();
  stops.push(watchAbsence(track, session));
  return { track, payloads: () => track.mock.calls.map(([, payload]) => payload) };
}

/** Puts the page into a state and lets the browser say so. */
function become(state: { focus?: boolean; visible?: boolean }, event?: string): void {
  const { focus = true, visible = true } = state;
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(visible ? "visible" : "hidden");
  vi.spyOn(document, "hasFocus").mockReturnValue(focus);
  if (event === "visibilitychange") document.dispatchEvent(new Event(event));
  else if (event) happen(event);
}

const happen = (type: string) => window.dispatchEvent(new Event(type));
const press = (init: KeyboardEventInit) => window.dispatchEvent(new KeyboardEvent("keydown", init));
const pass = (ms: number) => vi.advanceTimersByTime(ms);

function inFrame(): void {
  vi.spyOn(document, "activeElement", "get").mockReturnValue(document.createElement("iframe"));
  become({ focus: true }, "blur");
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  become({ focus: true });
});

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
  sessionStorage.clear();
});

it("reports that another window has the focus, and how long", () => {
  const { track } = watch();
  become({ focus: false }, "blur");
  pass(5_300);
  become({ focus: true }, "focus");
  expect(track.mock.calls).toEqual([
    ["PAUSE_BLUR", { state: "blur" }],
    ["PAUSE_BLUR", { state: "focus", away_ms: 5_300 }],
  ]);
});

it("reports a hidden page at once, for it may never be shown again", () => {
  const { payloads } = watch();
  become({ focus: false, visible: false }, "visibilitychange");
  expect(payloads()).toEqual([{ state: "blur" }]);
});

it("reports one absence however often the browser says so", () => {
  const { payloads } = watch();
  become({ focus: false }, "blur");
  become({ focus: false, visible: false }, "visibilitychange");
  become({ focus: false, visible: false }, "blur");
  become({ focus: true }, "visibilitychange");
  become({ focus: true }, "focus");
  expect(payloads()).toEqual([{ state: "blur" }, { state: "focus", away_ms: 0 }]);
});

it("is back only with the focus", () => {
  const { payloads } = watch();
  become({ focus: false, visible: false }, "visibilitychange");
  become({ focus: false }, "visibilitychange");
  pass(60_000);
  expect(payloads()).toEqual([{ state: "blur" }]);
});

it("takes a focus that is lost for a moment for no absence", () => {
  const { track } = watch();
  become({ focus: false }, "blur");
  pass(150);
  become({ focus: true }, "focus");
  pass(60_000);
  expect(track).not.toHaveBeenCalled();
});

it("takes a frame of the page for a part of it, however long", () => {
  const { track } = watch();
  inFrame();
  pass(600_000);
  become({ focus: true }, "focus");
  expect(track).not.toHaveBeenCalled();
});

it("notices that the candidate goes from a frame to another window and back, of which no event tells", () => {
  const { payloads } = watch();
  inFrame();
  pass(30_000);
  become({ focus: false });
  pass(6_000);
  become({ focus: true });
  pass(1_000);
  expect(payloads()).toEqual([{ state: "blur" }, { state: "focus", away_ms: expect.closeTo(6_000, -4) }]);
});

it("takes the browser's own controls, reached by Tab, for no absence", () => {
  const { track } = watch();
  press({ key: "Tab" });
  become({ focus: false }, "blur");
  pass(9_000);
  become({ focus: true }, "focus");
  expect(track).not.toHaveBeenCalled();
});

it("takes those reached by Tab from within a frame for none either", () => {
  const { track } = watch();
  inFrame();
  pass(5_000);
  vi.spyOn(document, "activeElement", "get").mockReturnValue(document.body);
  become({ focus: false });
  pass(8_000);
  become({ focus: true }, "focus");
  expect(track).not.toHaveBeenCalled();
});

it("can no longer tell after ten seconds in them, and counts all of it", () => {
  const { payloads } = watch();
  press({ key: "Tab", shiftKey: true });
  become({ focus: false }, "blur");
  pass(12_000);
  become({ focus: true }, "focus");
  expect(payloads()).toEqual([{ state: "blur" }, { state: "focus", away_ms: 12_000 }]);
});

it("reports who goes on from them to another tab", () => {
  const { payloads } = watch();
  press({ key: "Tab" });
  become({ focus: false }, "blur");
  pass(3_000);
  become({ focus: false, visible: false }, "visibilitychange");
  expect(payloads()).toEqual([{ state: "blur" }]);
});

it.each(["altKey", "ctrlKey", "metaKey"])("knows the keys that switch windows: Tab with %s", (modifier) => {
  const { payloads } = watch();
  press({ key: "Tab", [modifier]: true });
  become({ focus: false }, "blur");
  pass(SETTLED_MS);
  expect(payloads()).toEqual([{ state: "blur" }]);
});

it("takes the focus of an element for none of its business", () => {
  const { track } = watch();
  const input = document.body.appendChild(document.createElement("input"));
  become({ focus: false });
  input.dispatchEvent(new Event("blur"));
  input.remove();
  pass(SETTLED_MS);
  expect(track).not.toHaveBeenCalled();
});

it("takes a reload or a closed tab for no absence", () => {
  const { track } = watch();
  happen("pagehide");
  become({ focus: false, visible: false }, "visibilitychange");
  become({ focus: false, visible: false }, "blur");
  pass(60_000);
  expect(track).not.toHaveBeenCalled();
});

it("takes a page that was opened in the background for no absence, and watches once it is seen", () => {
  become({ focus: false, visible: false });
  const { payloads } = watch();
  happen("pageshow");
  pass(60_000);
  become({ focus: true }, "visibilitychange");
  expect(payloads()).toEqual([]);
  become({ focus: false, visible: false }, "visibilitychange");
  expect(payloads()).toEqual([{ state: "blur" }]);
});

it("watches on when the page comes back from the back button's cache", () => {
  const { payloads } = watch();
  happen("pagehide");
  window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  become({ focus: false }, "blur");
  pass(SETTLED_MS);
  expect(payloads()).toEqual([{ state: "blur" }]);
});

it("ends an absence that began before the page was loaded anew, without a length that nobody measured", () => {
  watch();
  become({ focus: false }, "blur");
  pass(SETTLED_MS);
  stops.pop()?.();
  pass(60_000);
  const reloaded = watch();
  expect(reloaded.payloads()).toEqual([]);
  become({ focus: true }, "focus");
  expect(reloaded.payloads()).toEqual([{ state: "focus" }]);
  stops.pop()?.();
  expect(watch().payloads()).toEqual([]);
});

it("does not say how long when the machine slept or its clock was set", () => {
  const { payloads } = watch();
  become({ focus: false }, "blur");
  pass(SETTLED_MS);
  vi.setSystemTime(Date.now() + 3_600_000);
  become({ focus: true }, "focus");
  expect(payloads()).toEqual([{ state: "blur" }, { state: "focus" }]);
});

it("works where the browser denies the storage", () => {
  vi.spyOn(window, "sessionStorage", "get").mockImplementation(() => {
    throw new DOMException("denied", "SecurityError");
  });
  const { payloads } = watch();
  become({ focus: false }, "blur");
  pass(SETTLED_MS);
  become({ focus: true }, "focus");
  expect(payloads()).toEqual([{ state: "blur" }, { state: "focus", away_ms: SETTLED_MS }]);
});

it("stops for good", () => {
  const { track } = watch();
  become({ focus: false }, "blur");
  stops.pop()?.();
  pass(60_000);
  happen("blur");
  expect(track).not.toHaveBeenCalled();
});
