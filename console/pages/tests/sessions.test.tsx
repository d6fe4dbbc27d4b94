import { afterEach, expect, it } from "vitest";
import type { SessionPage } from "../src/api/types";
import { EXAM_ID, examOf, Failing, fakeApi, ME, questionOf, sessionOf } from "./fake-api";
import { eventually, leave, one, press, sees, visit } from "./visit";

const EXAM = `/api/exams/${EXAM_ID}`;
const SESSIONS = `#/exams/${EXAM_ID}/sessions`;
const QUESTION = questionOf(2, { title: "Which ocean is the largest?" });
const PAGE: SessionPage = { total: 1, sessions: [sessionOf(1)], next: null };

afterEach(leave);

async function open(
  query: string,
  page: unknown = PAGE,
  exam: unknown = examOf({ questions: [questionOf(1), QUESTION] }),
) {
  const { api, asked } = fakeApi({ "/api/me": ME, [EXAM]: exam, [`${EXAM}/sessions`]: page });
  await visit(SESSIONS + query, api);
  await eventually(() => one("h1"));
  return asked;
}

const ofQuestion = (figure: string) => `?question=${QUESTION.question_id}&behind=${figure}`;

it.each([
  ["", "All sessions"],
  ["?completion=expired", "Sessions: expired"],
  ["?complete=true", "Sessions with a complete log"],
  ["?complete=false", "Sessions whose log is not complete"],
  ["?complete=false&reason=gap", "Logs that are not complete: a number of a stream is missing"],
  ["?behind=time", "Sessions with a known time"],
  ["?behind=time&at_least_ms=600000&below_ms=630000", "Time from 10 min to 10 min 30 s"],
  ["?behind=effort_known", "Effort is known"],
  ["?behind=effort_below_090", "Effort below 0.9"],
  [ofQuestion("viewed"), "Question 2: viewed"],
  [ofQuestion("times"), "Question 2: with a known time"],
  [ofQuestion("rapid"), "Question 2: very short times"],
  [ofQuestion("marked"), "Question 2: marked"],
  [ofQuestion("changed"), "Question 2: answer changed"],
  [ofQuestion("WR"), "Question 2: answer changed from wrong to right"],
  [ofQuestion("RW"), "Question 2: answer changed from right to wrong"],
  [ofQuestion("WW"), "Question 2: answer changed from wrong to another wrong one"],
  [ofQuestion("RR"), "Question 2: answer changed, right at first and at last"],
  [
    `?question=${questionOf(1).question_id}&to_question=${QUESTION.question_id}&behind=moved`,
    "Moved from question 1 to question 2",
  ],
])("%j is the page of %s, with what the figure means", async (query, title) => {
  const asked = await open(query);
  await eventually(() => one("h1", title));
  expect(document.querySelector(".means")?.textContent?.length).toBeGreaterThan(20);
  expect(asked).toContain(`${EXAM}/sessions${query}`);
});

it("lists sessions, each with the way to its attempt", async () => {
  await open(ofQuestion("WR"));
  await sees("Which ocean is the largest?");
  expect(one("tbody a").getAttribute("href")).toBe(`#/sessions/${sessionOf(1).session_id}`);
  await sees("Opening an attempt is recorded");
});

it("says the selection, and leads back to the exam with it", async () => {
  await open(`?behind=effort_known&group=${encodeURIComponent("A & <B>")}`);
  await sees("Only sessions of this selection: group A & <B>.");
  const back = await eventually(() => one("nav a", "General knowledge"));
  expect(back.getAttribute("href")).toBe(`#/exams/${EXAM_ID}?group=A+%26+%3CB%3E`);
});

it("goes from page to page, and back to the first", async () => {
  const page = (query: URLSearchParams): SessionPage =>
    query.has("after")
      ? { total: 101, sessions: [sessionOf(2)], next: null }
      : { total: 101, sessions: [sessionOf(1)], next: "2026-03-02T08:05:00Z,x+y" };
  const asked = await open("?completion=open", page);
  await sees(sessionOf(1).user_id);
  await press("a", "Next page");
  await sees(sessionOf(2).user_id);
  const last = new URLSearchParams(
    asked
      .filter((path) => path.includes("sessions"))
      .at(-1)
      ?.split("?")[1],
  );
  expect(Object.fromEntries(last)).toEqual({ completion: "open", after: "2026-03-02T08:05:00Z,x+y" });
  expect(document.body.textContent).not.toContain("Next page");
  await press("a", "First page");
  await sees(sessionOf(1).user_id);
});

it("says why figures are not known, once for those that lack for one reason", async () => {
  const lacking = sessionOf(1, {
    completion: "unknown",
    began_at: null,
    time_ms: null,
    time_reason: "no_end",
    marks: null,
    marks_reason: "gap",
    answered: null,
    answers_reason: "gap",
    absences: null,
    absences_reason: "gap",
    effort: null,
    effort_reason: "too_few",
    is_complete: false,
    log_reason: "gap",
  });
  await open("", { ...PAGE, sessions: [lacking] });
  await sees("not complete: a number of a stream is missing");
  const cells = [...document.querySelectorAll<HTMLElement>("tbody td")].map((cell) => [
    cell.dataset.name,
    cell.textContent,
  ]);
  expect(cells).toEqual([
    ["Began", "unknown: a number of a stream is missing"],
    ["End", "unknown"],
    ["Time", "unknown: no end"],
    ["Marks, answered, absences", "unknown: a number of a stream is missing"],
    ["Effort", "unknown: fewer than 30 times"],
    ["Log", "not complete: a number of a stream is missing"],
  ]);
});

it("shows the sessions even where the names of the exam and its questions are not to be had", async () => {
  await open(ofQuestion("WR"), PAGE, new Failing(503));
  await sees("A question: answer changed from wrong to right");
  await sees(sessionOf(1).user_id);
});

it("says that nobody is behind a figure", async () => {
  await open("?completion=open", { total: 0, sessions: [], next: null });
  await sees("No session is behind this figure");
});

it("says what the API says of a figure that is none", async () => {
  await open("?behind=luck", new Failing(422, "behind: no such figure."));
  await sees("behind: no such figure.");
});

it("is the same for sessions of somebody else and for none", async () => {
  await open("", new Failing(404));
  await sees("There is no such page, or it is not for you.");
});
