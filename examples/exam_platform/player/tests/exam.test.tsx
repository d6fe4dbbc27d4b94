import { afterEach, beforeEach, expect, it } from "vitest";
import {
  choose,
  control,
  eventually,
  leave,
  platform,
  press,
  sees,
  setUp,
  sit,
  tearDown,
  trackedTypes,
  visit,
} from "./browser";

beforeEach(setUp);
afterEach(tearDown);

async function enter(name: string): Promise<void> {
  const input = control("input", "Your name") as HTMLInputElement;
  input.value = name;
  await press("Start");
}

it("takes a candidate from the name to the result", async () => {
  await visit();
  await enter("Ada");
  await sees("Hello, Ada");
  await press("Begin General knowledge");
  await sees("Question 1 of 4");
  await choose("Mercury");
  await press("Next");
  await choose("Six");
  await press("Question 4, not answered");
  await press("Review and submit");
  await sees("Review your answers");
  await press("Submit exam");
  await sees("2 questions are still open.");
  await press("Submit now");
  await sees("Your exam is handed in");
  await sees("2 of 4 right");
  expect(platform.state).toBe("submitted");
});

it("reports what the candidate saw, in order and once, before it submits", async () => {
  await sit();
  await press("Next");
  await press("Previous");
  await press("Question 4, not answered");
  await press("Review and submit");
  await press("Submit exam");
  await press("Submit now");
  await sees("Your exam is handed in");
  expect(
    platform.events.map(({ event_type, seq, payload }) => [seq, event_type, payload.from_pos ?? payload.pos]),
  ).toEqual([
    [1, "QUESTION_VIEWED", 1],
    [2, "NAVIGATE_NEXT", 1],
    [3, "QUESTION_VIEWED", 2],
    [4, "NAVIGATE_PREV", 2],
    [5, "QUESTION_VIEWED", 1],
    [6, "NAVIGATE_JUMP", 1],
    [7, "QUESTION_VIEWED", 4],
  ]);
  const submitted = platform.calls.findIndex((call) => call.endsWith("/submit"));
  expect(platform.calls.indexOf("POST /v1/telemetry/events")).toBeLessThan(submitted);
});

it("comes back to the same question after a reload, and begins another stream", async () => {
  await sit();
  await press("Next");
  await choose("Six");
  await leave();
  await eventually(() => expect(platform.events).toHaveLength(3));
  await sit(2);
  expect(control("input", "Six")).toHaveProperty("checked", true);
  await leave();
  await eventually(() => expect(platform.events).toHaveLength(4));
  expect(platform.events.at(-1)).toMatchObject({ event_type: "QUESTION_VIEWED", seq: 1, payload: { pos: 2 } });
});

it("goes from the overview back to a question", async () => {
  await sit();
  await press("Review and submit");
  await sees("Review your answers");
  await press(/^Question 3.*Not answered$/);
  await sees("Question 3 of 4");
  await leave();
  await eventually(() => expect(trackedTypes()).toEqual(["QUESTION_VIEWED", "NAVIGATE_JUMP", "QUESTION_VIEWED"]));
});

it("shows in the overview what another tab has answered meanwhile", async () => {
  await sit();
  platform.questions = platform.questions.map((each) => (each.pos === 2 ? { ...each, choice: 1 } : each));
  await press("Review and submit");
  await eventually(() => control("button", /^Question 2.*Six$/));
});

it("names the states of a question in the navigator", async () => {
  await sit();
  await press("Mark for review");
  await choose("Venus");
  expect(control("button", /^Question 1/).getAttribute("aria-label")).toBe(
    "Question 1, answered, marked for review, current",
  );
  expect(control("button", "Mark for review").getAttribute("aria-pressed")).toBe("true");
  await eventually(() => expect(platform.questions[0]).toMatchObject({ choice: 0, marked: true }));
});

it("moves the focus to the heading of each page that comes on the screen", async () => {
  const headings: string[] = [];
  async function comes(heading: string): Promise<void> {
    await eventually(() => expect(document.activeElement?.textContent).toBe(heading));
    expect(document.activeElement?.tagName).toMatch(/^H[12]$/);
    headings.push(document.title);
  }
  await visit();
  await comes("Welcome");
  await enter("Ada");
  await comes("Hello, Ada");
  await press("Begin General knowledge");
  await comes("Question 1 of 4");
  await press("Question 4, not answered");
  await comes("Question 4 of 4");
  await press("Review and submit");
  await comes("Review your answers");
  await press("Back to questions");
  await comes("Question 4 of 4");
  await press("Review and submit");
  await press("Submit exam");
  await press("Submit now");
  await comes("Your exam is handed in");
  await press("To the start page");
  await comes("Hello, Ada");
  await press("Not Ada?");
  await comes("Welcome");
  expect(new Set(headings).size).toBe(6);
});

it("moves it to what is said in place of an exam", async () => {
  await visit("#/sessions/01890a5d-ac96-774b-bcce-b302099a8fff");
  await eventually(() => expect(document.activeElement?.textContent).toBe("No such exam"));
  expect(document.title).toBe("No such exam – Exam platform");
});

it("moves the focus to the question's heading", async () => {
  await sit();
  await press("Next");
  expect(document.activeElement?.textContent).toBe("Question 2 of 4");
  expect(document.title).toBe("Question 2 – General knowledge");
});

it("shows the result when the time is up", async () => {
  platform.expiresInMs = 40;
  await sit();
  platform.state = "expired";
  await sees("The time is up");
  await sees("0 of 4 right");
});

it("asks the service again when its clock says that there is time left", async () => {
  platform.expiresInMs = 40;
  platform.clockSkewMs = -3_600_000;
  await sit();
  platform.expiresInMs = 600_000;
  await eventually(() => expect(document.querySelector("[role=timer]")?.textContent).toBe("10:00"));
});

it("shows the result when another tab has handed in", async () => {
  await sit();
  platform.state = "submitted";
  await choose("Mercury");
  await sees("Your exam is handed in");
});

it("leads to the console where there is one, and nowhere else", async () => {
  const consoles = () =>
    [...document.querySelectorAll("a")]
      .map((link) => link.getAttribute("href"))
      .filter((href) => href?.startsWith("/c"));
  await visit();
  await sees("Your name");
  expect(consoles()).toEqual([]);
  await leave();
  platform.hasConsole = true;
  await visit();
  await sees("What was recorded");
  expect(consoles()).toEqual(["/console?as=examiner", "/console?as=operator", "/console?as=auditor"]);
  await leave();
  platform.state = "submitted";
  await visit(`#/sessions/${platform.sessionId}`);
  await sees("What was recorded of this exam");
  expect(consoles()).toEqual([`/console?to=/sessions/${platform.sessionId}`]);
});
