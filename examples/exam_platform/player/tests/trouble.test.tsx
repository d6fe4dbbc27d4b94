import { afterEach, beforeEach, expect, it } from "vitest";
import { sessionHref } from "../src/route";
import { choose, control, eventually, leave, platform, press, sees, setUp, sit, tearDown, visit } from "./browser";

beforeEach(setUp);
afterEach(tearDown);

const goOnline = () => window.dispatchEvent(new Event("online"));

it("does not ask who somebody is who was never here", async () => {
  await visit();
  await sees("Your name");
  expect(platform.calls).not.toContain("GET /v1/me");
});

it("keeps an answer while the service is away, and saves it when it is back", async () => {
  await sit();
  platform.failing = { path: "/answer", status: 0 };
  await choose("Mercury");
  await sees("Not saved yet");
  expect(control("input", "Mercury")).toHaveProperty("checked", true);
  platform.failing = undefined;
  goOnline();
  await eventually(() => expect(platform.questions[0]?.choice).toBe(1));
  await sees("Saved");
});

it("keeps an answer over a reload while the service does not take it", async () => {
  await sit();
  platform.failing = { path: "/answer", status: 503 };
  await choose("Mercury");
  await sees("Not saved yet");
  await leave();
  platform.failing = undefined;
  await sit();
  await eventually(() => expect(platform.questions[0]?.choice).toBe(1));
});

it("does not hand in while an answer is not saved", async () => {
  await sit();
  platform.failing = { path: "/answer", status: 503 };
  await choose("Mercury");
  await press("Review and submit");
  await press("Submit exam");
  await press("Submit now");
  await sees("Your last answers are not saved yet.");
  expect(platform.state).toBe("open");
});

it("says so when the service cannot be reached for the submit, and submits at the next try", async () => {
  await sit();
  await press("Review and submit");
  await press("Submit exam");
  platform.failing = { path: "/submit", status: 0 };
  await press("Submit now");
  await sees("Nothing is lost.");
  platform.failing = undefined;
  await press("Submit now");
  await sees("Your exam is handed in");
});

it.each([0, 400, 403, 429, 503])("works the same when the gateway answers %i", async (status) => {
  platform.failing = { path: "/telemetry/", status };
  await sit();
  await press("Next");
  await choose("Six");
  await press("Review and submit");
  await press("Submit exam");
  await press("Submit now");
  await sees("Your exam is handed in");
  await sees("1 of 4 right");
});

it("loads the exam as soon as the service answers", async () => {
  platform.failing = { path: "/sessions/", status: 503 };
  await visit(sessionHref(platform.sessionId));
  await sees("No connection");
  platform.failing = undefined;
  goOnline();
  await sees("Question 1 of 4");
});

it.each([
  [401, "Please sign in"],
  [404, "No such exam"],
])("explains status %i of a session", async (status, text) => {
  platform.failing = { path: "/sessions/", status };
  await visit(sessionHref(platform.sessionId));
  await sees(text);
});
