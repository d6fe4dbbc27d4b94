import { act } from "react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createApi } from "../src/api/api";
import { ApiContext } from "../src/api/api-context";
import type { Attempt, Me } from "../src/api/types";
import { createClock } from "../src/views/attempt/clock";
import AttemptPage from "../src/views/attempt/page";
import { pageRule } from "../src/views/attempt/print-header";
import { attempt, CANDIDATE, gap, page, question, SESSION, tornAttempt, wholeAttempt } from "./attempts";
import { eventually, leave, sees, show } from "./visit";

const EXAMINER: Me = {
  user_id: "0198c0de-0000-7000-8000-0000000000a1",
  role: "examiner",
  exams: [],
  platform_url: null,
};
const OWNER: Me = { ...EXAMINER, user_id: CANDIDATE, role: "candidate" };

let asked: string[];
let answers: (Attempt | { status: number; detail: string } | "nothing")[];

/** The last answer stands for all that are asked for after it. */
const send: typeof fetch = async (path) => {
  asked.push(String(path));
  const answer = answers.length > 1 ? answers.shift() : answers[0];
  if (answer === undefined || answer === "nothing") throw new TypeError("no connection");
  return Response.json(answer, { status: "status" in answer ? answer.status : 200 });
};

async function open(me = EXAMINER, search = ""): Promise<void> {
  await show(
    <ApiContext value={createApi(send)}>
      <AttemptPage id={SESSION} query={new URLSearchParams(search)} me={me} />
    </ApiContext>,
  );
}

function texts(selector: string): string[] {
  return [...document.querySelectorAll(selector)].map((each) => each.textContent ?? "");
}

async function press(text: string): Promise<void> {
  const found = [...document.querySelectorAll("button, label")].find((each) => each.textContent === text);
  await act(async () => (found?.querySelector("input") ?? (found as HTMLElement)).click());
}

beforeEach(() => {
  asked = [];
  answers = [wholeAttempt()];
  vi.stubEnv("TZ", "UTC");
});
afterEach(async () => {
  await leave();
  vi.unstubAllEnvs();
});

describe("an attempt", () => {
  it("says first whether its log is complete, and what follows", async () => {
    await open();
    await sees("This log is complete.");
    await sees("the figures below are of the whole attempt");
    answers = [tornAttempt()];
    await leave();
    await open();
    await sees("This log is not complete: 3 numbers are missing, 1 event is a dead letter, 4 events were given up");
    await sees("figures that depend on it are not known");
    expect(texts(".verdict li")).toEqual(tornAttempt().verdict.sentences.slice(0, 2));
  });

  it("has its lines in the order of the API, each in its lane", async () => {
    answers = [tornAttempt()];
    await open();
    await sees("What happened, in order");
    expect(texts('.timeline-line:not([data-kind="note"]) .line-what')).toEqual([
      "The attempt began with 2 questions.",
      "Question 1 came on the screen.",
      "Answered question 1: option 2.",
      "Numbers 3 to 5 are missing.",
      "On to question 2.",
      "Question 2 came on the screen.",
      "The page lost the focus; no return is stored.",
      "Question 2 came on the screen.",
      "The page has the focus again. When it lost it, this load of the page does not tell.",
      "An answer for question 0198c0de was refused: it named a question that is not in the exam.",
      "The page told once more that it has not the focus: the same absence.",
      "The page gave up 4 events: more were waiting than the page keeps.",
      'MARK_FOR_REVIEW_TOGGLED {"pos":2,"marked":"perhaps"}',
    ]);
    expect(texts('[data-lane="service"] .line-what')).toEqual(["The attempt began with 2 questions."]);
    expect(texts('[data-kind="note"] .line-what')).toEqual([
      "2 events from here on came late: up to 5 min after they happened.",
      "The page's clock was set back, by 4 min 58 s or more.",
      "The exam's page was loaded once more (load 2), while an earlier load went on.",
    ]);
  });

  it("has times with their bounds, and in UTC", async () => {
    answers = [tornAttempt()];
    await open();
    await sees("What happened, in order");
    const whens = texts(".line-when");
    expect(whens[0]).toMatch(/^\+00:00\.0 \d\d:\d\d:\d\d\.\d$/);
    expect(whens[1]).toMatch(/up to 0\.4 s earlier$/);
    expect(whens[3]).toBe("time not known");
    expect(whens[6]).toMatch(/nobody can say how much earlier$/);
    expect(whens[9]).toMatch(/^came \d\d/);
    expect(document.querySelector(".line-when time")?.getAttribute("title")).toBe("2026-03-02 09:00:00.000 UTC");
  });

  it("has figures, or why they are not known", async () => {
    answers = [tornAttempt()];
    await open();
    await sees("In figures");
    expect(texts(".attempt-figures > div")).toContain("Absences of the focusunknown: a number of a stream is missing");
    const cells = texts("#questions ~ table tbody tr:first-child td");
    expect(cells.slice(0, 3)).toEqual(Array(3).fill("unknown: a number of a stream is missing"));
    expect(cells.slice(3)).toEqual(Array(2).fill("unknown: an event is a dead letter"));
  });

  it("says of answers how they changed, and of marks that there is no key", async () => {
    const none = { first_choice: null, last_choice: null, changes: 0, mark: null };
    answers = [
      attempt([page(1, 1, "REVIEW_OPENED"), page(2, 2, "REVIEW_OPENED")], {
        questions: [
          question(1, { first_choice: 0, last_choice: 2, changes: 2, change_kind: "WR" }),
          question(2, { ...none, mark_reason: "no_key" }),
          question(3, { ...none, mark: 0 }),
        ],
      }),
    ];
    await open();
    await sees("In figures");
    expect(texts('[data-label="Answer"]')).toEqual([
      "Option 3, at first option 1: 2 changes, wrong to right",
      "not answered",
      "not answered",
    ]);
    expect(texts('[data-label="Mark"]')).toEqual(["1", "unknown: no key", "0"]);
  });

  it("shows a candidate no marks", async () => {
    const hidden = {
      mark: null,
      mark_reason: "not_shown",
      change_kind: null,
      first_choice: 0,
      last_choice: 2,
      changes: 1,
    };
    const { summary } = wholeAttempt();
    answers = [
      attempt(wholeAttempt().lines, {
        questions: [question(1, hidden)],
        summary: { ...summary, marks: null, marks_reason: "not_shown" },
      }),
    ];
    await open(OWNER);
    await sees("Marks are not shown to candidates.");
    expect(texts('[data-label="Mark"], .attempt-figures dt').join()).not.toContain("Mark");
    expect(texts('[data-label="Answer"]')).toEqual(["Option 3, at first option 1: 1 change"]);
  });

  it("lists absences with their length, or why they have none", async () => {
    answers = [tornAttempt()];
    await open();
    await sees("Absences of the focus");
    expect(texts('[data-label="Length"]')).toEqual(["unknown: not measured", "unknown: not back"]);
    await leave();
    answers = [attempt([gap(1, 1)], { verdict: { ...tornAttempt().verdict } })];
    await open();
    await sees("None is stored; the log is not complete.");
  });

  it("leads to its sections, whose headings then have the focus", async () => {
    await open();
    await sees("What happened, in order");
    for (const [button, heading] of [
      ["Questions", "Questions"],
      ["What happened", "What happened, in order"],
      ["How to read this", "How to read this"],
    ] as const) {
      await press(button);
      expect(document.activeElement?.textContent).toBe(heading);
    }
  });

  it("shows one kind only when asked", async () => {
    await open();
    await sees("14 lines");
    await press("Answers");
    await sees("Answers only: 3 of 14 lines.");
    expect(texts(".line-what")).toHaveLength(3);
    await press("Everything");
    await eventually(() => expect(texts(".line-what")).toHaveLength(14));
  });

  it("closes its groups, and opens them for the printer", async () => {
    await open();
    await sees("14 lines");
    await press("Close all");
    await eventually(() => expect(texts(".line-what")).toHaveLength(0));
    act(() => void window.dispatchEvent(new Event("beforeprint")));
    expect(texts(".line-what")).toHaveLength(14);
  });

  it("says what it leaves out, and begins closed when it is very long", async () => {
    const lines = Array.from({ length: 3_001 }, (_, seq) => page(seq, seq, "MARK_FOR_REVIEW_TOGGLED"));
    answers = [{ ...attempt(lines), more_lines: 1 }];
    await open();
    await sees("1 later line is not on this page.");
    expect(texts(".line-what")).toHaveLength(0);
    expect(texts(".visit")).toHaveLength(1);
  });

  it("says when nothing is stored", async () => {
    const summary = { ...wholeAttempt().summary, began_at: null, ended_at: null, last_at: null };
    answers = [attempt([], { summary, questions: [] })];
    await open();
    await sees("No event of this attempt is stored.");
  });

  it("can be taken along", async () => {
    await open(EXAMINER, "why=an appeal");
    await sees("Download CSV");
    const link = document.querySelector<HTMLAnchorElement>("a[download]");
    expect(link?.getAttribute("href")).toBe(`/api/sessions/${SESSION}/timeline.csv?why=an+appeal`);
    const print = vi.fn();
    vi.stubGlobal("print", print);
    await press("Print");
    expect(print).toHaveBeenCalledOnce();
  });
});

describe("a printed page", () => {
  const clock = createClock(null, "UTC");

  it("says which session it is of, when it was read and what the audit says", () => {
    const rule = pageRule({ ...tornAttempt(), read_at: "2026-03-02T10:00:00Z" }, clock);
    expect(rule).toContain(`"Session ${SESSION}, read 2 Mar 2026, 10:00:00 (UTC)"`);
    expect(rule).toContain('"This log is not complete: 3 numbers are missing, 1 event');
  });

  it("holds text of the API as text", () => {
    const rule = pageRule({ ...wholeAttempt(), session_id: '"} body { x: y } \\\n😀' }, clock);
    expect(rule).toContain('"Session \\22 \\7d  body \\7b  x: y \\7d  \\5c \\a \\1f600 , read');
  });

  it("is only of what is shown", async () => {
    await open();
    await sees("What happened, in order");
    expect(document.adoptedStyleSheets).toHaveLength(1);
    await leave();
    expect(document.adoptedStyleSheets).toHaveLength(0);
  });
});

describe("who opens an attempt", () => {
  it("is told that it is recorded, and may say why", async () => {
    await open();
    await sees("That you opened this attempt is recorded.");
    const field = document.querySelector<HTMLInputElement>("#why");
    if (!field) expect.fail();
    field.value = " an appeal ";
    await press("Record the reason");
    await eventually(() => expect(window.location.hash).toBe(`#/sessions/${SESSION}?why=an+appeal`));
  });

  it("is recorded with the reason in the address", async () => {
    await open(EXAMINER, "why=an appeal");
    await sees("is recorded, with your reason");
    expect(asked).toContain(`/api/sessions/${SESSION}?why=an+appeal`);
  });

  it("can mend a reason that is refused", async () => {
    answers = [{ status: 422, detail: "The reason names an id: leave it out." }];
    await open(EXAMINER, "why=0198");
    await sees("The reason names an id: leave it out.");
    expect(document.querySelector<HTMLInputElement>("#why")?.value).toBe("0198");
    expect(document.body.textContent).not.toContain("you opened");
  });

  it("is not recorded when it is the candidate, who reads of themselves", async () => {
    await open(OWNER);
    await sees("Your attempt");
    await sees("It does not say what you did.");
    expect(document.body.textContent).not.toMatch(/the candidate|recorded/);
  });
});

describe("without an answer", () => {
  it("says that there is nothing, or nothing for them", async () => {
    answers = [{ status: 404, detail: "no such session" }];
    await open();
    await sees("There is no such page, or it is not for you.");
    expect(document.body.textContent).not.toContain("recorded");
  });

  it("offers to try again", async () => {
    answers = ["nothing"];
    await open();
    await sees("The console cannot be reached");
    answers = [wholeAttempt()];
    await press("Try again");
    await sees("This log is complete.");
  });

  it("keeps what it has, and says how old that is", async () => {
    await open();
    await sees("This log is complete.");
    answers = ["nothing"];
    await press("Read again");
    await sees(/As of .*: the last look failed/);
    await sees("This log is complete.");
  });

  it("asks again only when somebody wants it: each time is recorded", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval"] });
    await open();
    const before = asked.length;
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(asked).toHaveLength(before);
    vi.useRealTimers();
  });
});
