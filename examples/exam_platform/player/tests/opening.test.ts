import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openingOfPage } from "../src/opening";

beforeEach(() => {
  vi.stubGlobal("isSecureContext", true);
  window.history.replaceState(null, "");
});
afterEach(() => vi.unstubAllGlobals());

it("keeps its name over reloads: it is the history's, not the page's", () => {
  const opening = openingOfPage();
  expect(opening).toMatch(/^[0-9a-f-]{36}$/);
  expect(openingOfPage()).toBe(opening);
  expect(window.history.state).toEqual({ opening });
});

it("has another name when the page is opened anew", () => {
  const first = openingOfPage();
  window.history.pushState(null, "", "#/sessions/1/review");
  expect(openingOfPage()).not.toBe(first);
});

it("has none where the browser makes none up", () => {
  vi.stubGlobal("isSecureContext", false);
  expect(openingOfPage()).toBeUndefined();
});
