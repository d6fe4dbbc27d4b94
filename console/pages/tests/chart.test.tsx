import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Chart, type Draw } from "../src/figures/chart";
import { eventually, leave, show } from "./visit";

const SESSIONS = "#/exams/0198c0de-0000-7000-8000-000000000001/sessions?question=q&behind=times";
const draw: Draw = (plot) => ({
  marks: [plot.barY([{ question: 1, ms: 900 }], { x: "question", y: "ms", href: () => SESSIONS })],
});

beforeEach(() => {
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(640);
});

afterEach(async () => {
  await leave();
  vi.restoreAllMocks();
});

const drawn = () => eventually(() => document.querySelector(".chart svg") ?? expect.fail("nothing is drawn"));

it("is one image with a name, as wide as its place, with nothing that a Content-Security-Policy refuses", async () => {
  await show(<Chart label="Time per question" height={200} draw={draw} />);
  const svg = await drawn();
  expect([svg.getAttribute("role"), svg.getAttribute("aria-label")]).toEqual(["img", "Time per question"]);
  expect([svg.getAttribute("width"), svg.getAttribute("height")]).toEqual(["640", "200"]);
  expect(document.querySelectorAll("style, [style*='white']")).toHaveLength(0);
});

it("leads from a mark to what is behind it, and holds nothing for a keyboard", async () => {
  await show(<Chart label="Time per question" height={200} draw={draw} />);
  const svg = await drawn();
  expect(svg.querySelectorAll("a")).toHaveLength(0);
  svg.querySelector(".pick rect")?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  expect(window.location.hash).toBe(SESSIONS);
});

it("draws anew what is new", async () => {
  await show(<Chart label="Time per question" height={200} draw={draw} />);
  await drawn();
  const nothing: Draw = (plot) => ({ marks: [plot.ruleY([0])] });
  await show(<Chart label="Sessions" height={100} draw={nothing} />);
  await eventually(() => expect(document.querySelectorAll(".chart rect")).toHaveLength(0));
  expect(document.querySelectorAll(".chart svg")).toHaveLength(1);
});
