import { expect, it } from "vitest";
import { takeToken } from "../src/shell/entry";

it("takes the token out of the address", () => {
  window.location.hash = "#token=a.b-c_d.e&to=%2Foperations";
  expect(takeToken(window.location, window.history)).toBe("a.b-c_d.e");
  expect(window.location.href).not.toContain("a.b-c_d.e");
  expect(window.location.hash).toBe("#/operations");
  expect(takeToken(window.location, window.history)).toBeNull();
});
