import { afterEach, expect, it } from "vitest";
import type { ExamInList, Role } from "../src/api/types";
import { EXAM_ID, Failing, fakeApi, ME, sessionOf } from "./fake-api";
import { eventually, leave, one, press, sees, visit } from "./visit";

const ATTEMPT = `#/sessions/${sessionOf(1).session_id}`;

afterEach(leave);

async function open(role: Role, exams: unknown = []) {
  const { api, asked } = fakeApi({ "/api/me": { ...ME, role }, "/api/exams": exams });
  await visit("#/", api);
  return asked;
}

it.each<Role>(["examiner", "auditor"])("lists exams for an %s", async (role) => {
  const exams: ExamInList[] = [
    { exam_id: EXAM_ID, title: "General knowledge", sessions: 412, last_event_at: "2026-03-02T17:31:04Z" },
    { exam_id: sessionOf(1).user_id, title: null, sessions: 1, last_event_at: null },
  ];
  await open(role, exams);
  const link = await eventually(() => one("main a", "General knowledge"));
  expect(link.getAttribute("href")).toBe(`#/exams/${EXAM_ID}`);
  await sees("412 sessions");
  await sees(`Untitled exam ${sessionOf(1).user_id}`);
  expect(one("main li:nth-child(2)").textContent).toMatch(/1 session(?!s)/);
  await sees("No event yet");
});

it("says that there is no exam", async () => {
  await open("examiner");
  await sees("There is no exam that you may see yet.");
});

it("says that the list cannot be had", async () => {
  await open("examiner", new Failing(503));
  await sees("The console cannot be reached");
});

it("asks a candidate for a session, and for no exam", async () => {
  const asked = await open("candidate");
  await sees("your exam platform links to what was recorded");
  expect(new Set(asked)).toEqual(new Set(["/api/me"]));
  one<HTMLInputElement>("input").value = "12";
  await press("button", "Open");
  await sees("This is no session id");
  one<HTMLInputElement>("input").value = ` ${sessionOf(1).session_id}\t`;
  await press("button", "Open");
  await eventually(() => expect(window.location.hash).toBe(ATTEMPT));
});

it("sends an operator to the operations, who sees no exam", async () => {
  const asked = await open("operator");
  await eventually(() => expect(window.location.hash).toBe("#/operations"));
  expect(asked).not.toContain("/api/exams");
});
