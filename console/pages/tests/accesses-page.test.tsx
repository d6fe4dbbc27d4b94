import { act } from "react";
import { afterEach, expect, it } from "vitest";
import { createApi } from "../src/api/api";
import { ApiContext } from "../src/api/api-context";
import type { Access, AccessPage, Me } from "../src/api/types";
import AccessesPage from "../src/views/accesses/page";
import { at, CANDIDATE, SESSION } from "./attempts";
import { eventually, leave, sees, show } from "./visit";

const AUDITOR: Me = { user_id: CANDIDATE, role: "auditor", exams: [], platform_url: null };
const LOOK: Access = {
  at: at(0),
  by: "0198c0de-0000-7000-8000-0000000000a1",
  command: "console",
  reason: "an appeal",
  subject_kind: "session",
  subject: SESSION,
  is_pseudonym: false,
};

async function open(pages: Record<string, AccessPage>): Promise<void> {
  const send: typeof fetch = async (path) => {
    const page = pages[new URL(String(path), "http://console").searchParams.get("after") ?? ""];
    return Response.json(page ?? { detail: "" }, { status: page ? 200 : 500 });
  };
  await show(
    <ApiContext value={createApi(send)}>
      <AccessesPage me={AUDITOR} />
    </ApiContext>,
  );
}

function rows(): string[][] {
  return [...document.querySelectorAll("tbody tr")].map((row) =>
    [...row.children].map((cell) => cell.textContent ?? ""),
  );
}

async function press(text: string): Promise<void> {
  const button = [...document.querySelectorAll("button")].find((each) => each.textContent === text);
  await act(async () => button?.click());
}

afterEach(leave);

it("says who looked at what, with what and why", async () => {
  const export_ = { ...LOOK, by: "ada", command: "export run", reason: null, subject_kind: "everybody", subject: null };
  const purged = { ...LOOK, subject_kind: "user", is_pseudonym: true };
  await open({ "": { accesses: [LOOK, export_, purged], next: null } });
  await sees("Newest first");
  expect(rows().map((cells) => cells.slice(1))).toEqual([
    [LOOK.by, "the attempt, in this console", `session ${SESSION}`, "an appeal"],
    ["ada", "attemptlog export run", "everybody's", "not said"],
    [LOOK.by, "the attempt, in this console", `user purged since, pseudonym ${SESSION}`, "an appeal"],
  ]);
  const links = [...document.querySelectorAll("tbody a")].map((link) => link.getAttribute("href"));
  expect(links).toEqual([`#/sessions/${SESSION}`]);
});

it("goes to older ones and back", async () => {
  const older = { ...LOOK, by: "grace" };
  await open({ "": { accesses: [LOOK], next: "42" }, "42": { accesses: [older], next: null } });
  await sees("an appeal");
  await press("Older");
  await sees("grace");
  expect(document.body.textContent).not.toContain("Older");
  await press("The newest");
  await sees(LOOK.by);
  await eventually(() => expect(rows()).toHaveLength(1));
});

it("says when nobody has looked, and when there is no answer", async () => {
  await open({ "": { accesses: [], next: null } });
  await sees("Nobody has looked at anybody's data yet.");
  await leave();
  await open({});
  await sees("The console cannot be reached");
});
