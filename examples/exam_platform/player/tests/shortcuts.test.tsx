import { afterEach, beforeEach, expect, it } from "vitest";
import { choose, control, press, sees, setUp, sit, tearDown, type } from "./browser";

beforeEach(setUp);
afterEach(tearDown);

it("moves and marks by single keys", async () => {
  await sit();
  await type("n");
  await sees("Question 2 of 4");
  await type("m");
  expect(control("button", "Mark for review").getAttribute("aria-pressed")).toBe("true");
  await type("p");
  await sees("Question 1 of 4");
  await type("p");
  await sees("Question 1 of 4");
});

it.each([{ ctrlKey: true }, { metaKey: true }, { altKey: true }, { shiftKey: true }, { repeat: true }])(
  "leaves a key with %j to the browser",
  async (init) => {
    await sit();
    await type("n", init);
    await sees("Question 1 of 4");
  },
);

it("leaves a key alone while somebody types", async () => {
  await sit();
  const input = document.body.appendChild(document.createElement("input"));
  await type("n", {}, input);
  await sees("Question 1 of 4");
});

it("has single keys that can be switched off", async () => {
  await sit();
  await choose("Single-key shortcuts");
  await type("n");
  await sees("Question 1 of 4");
  await press("Next");
  await sees("Question 2 of 4");
});
