import { act } from "react";
import { afterEach, describe, expect, it, vi } from "vitest";
import { EXAM_ID, examOf, Failing, fakeApi, ME, questionOf, UNKNOWN } from "./fake-api";
import { eventually, go, leave, one, press, sees, visit } from "./visit";

const EXAM = `#/exams/${EXAM_ID}`;
const PATH = `/api/exams/${EXAM_ID}`;
const ODD = "Größe <b>2</b> & a=b? #1 + 100 % «x»/y";

afterEach(leave);
afterEach(() => void vi.useRealTimers());

async function open(exam: unknown, hash = EXAM) {
  const { api, asked } = fakeApi({ "/api/me": ME, [PATH]: exam });
  await visit(hash, api);
  return asked;
}

/** The panel's links by what they say; the last one of a text counts. */
const linksOf = (title: string) => {
  const panel = one("section.panel h2", title).closest("section");
  return Object.fromEntries(
    [...(panel?.querySelectorAll("a") ?? [])].map((it) => [it.textContent, it.getAttribute("href")]),
  );
};
const behind = (query: string) => `${EXAM}/sessions?${query}`;
const input = (name: string) => one<HTMLInputElement>(`[name=${name}]`);

describe("every figure leads to the sessions behind it", () => {
  const first = questionOf(1);
  const ofQuestion = (figure: string) => behind(`question=${first.question_id}&behind=${figure}`);

  it("of the exam", async () => {
    await open(examOf());
    await sees("General knowledge");
    expect(linksOf("Sessions")).toEqual({
      "40": behind("").slice(0, -1),
      "35": behind("completion=submitted"),
      "3": behind("completion=expired"),
      "2": behind("complete=false&reason=gap"),
      "38 of 40": behind("complete=true"),
    });
    expect(linksOf("Time of a session")).toEqual({
      "10 min 10 s": behind("behind=time"),
      "2": behind("behind=time&at_least_ms=600000&below_ms=720000"),
      "1": behind("behind=time&at_least_ms=840000&below_ms=960000"),
    });
  });

  it("of a question", async () => {
    await open(examOf({ questions: [first] }));
    await sees("General knowledge");
    expect(linksOf("Time per question")).toEqual({
      "38.5 s": ofQuestion("times"),
      "42 s": ofQuestion("times"),
      "38": ofQuestion("times"),
      "40": ofQuestion("viewed"),
      "1.3": ofQuestion("viewed"),
    });
    expect(linksOf("Very short times")).toEqual({
      "4": behind("behind=effort_below_090"),
      "36": behind("behind=effort_known"),
      "3": ofQuestion("rapid"),
      "38": ofQuestion("times"),
    });
    expect(linksOf("Difficulty")).toEqual({
      "63 %": ofQuestion("marked"),
      "−12": ofQuestion("marked"),
      "31": ofQuestion("marked"),
      "39": ofQuestion("marked"),
    });
    expect(linksOf("Answer changes")).toEqual({
      "5": ofQuestion("WR"),
      "2": ofQuestion("WW"),
      "1": ofQuestion("RR"),
      "10": ofQuestion("changed"),
    });
  });

  it("of a move", async () => {
    await open(examOf());
    await sees("General knowledge");
    const [from, to] = [questionOf(1).question_id, questionOf(2).question_id];
    const moved = behind(`question=${from}&to_question=${to}&behind=moved`);
    expect(linksOf("Paths")).toEqual({ "44": moved, "37": moved });
  });

  it("of one of many moves, after all of them or those of a question are asked for", async () => {
    const questions = Array.from({ length: 10 }, (_, index) => questionOf(index + 1));
    const navigation = questions.flatMap(({ question_id: from }) =>
      questions.map(({ question_id: to }) => ({ from_question_id: from, to_question_id: to, moves: 2, sessions: 1 })),
    );
    await open(examOf({ questions, navigation }));
    await sees("Show all 100");
    const rows = () => one("section[aria-label^='Moves']").querySelectorAll("tbody tr");
    expect(rows()).toHaveLength(40);
    await press("button", "Show all 100");
    expect(rows()).toHaveLength(100);
    const select = one<HTMLSelectElement>(".steps select");
    await act(async () => {
      select.value = "7";
      select.dispatchEvent(new Event("change", { bubbles: true }));
    });
    expect(rows()).toHaveLength(19);
  });

  it("with the filter, however its group is called", async () => {
    await open(examOf({ groups: [ODD] }), `${EXAM}?group=${encodeURIComponent(ODD)}`);
    await sees("General knowledge");
    for (const href of Object.values(linksOf("Sessions"))) {
      expect(new URLSearchParams(href?.split("?")[1]).get("group")).toBe(ODD);
    }
  });
});

describe("the filter", () => {
  it("is kept in the address, and asked for", async () => {
    const asked = await open(examOf({ groups: ["Morning", ODD] }));
    await eventually(() => input("group"));
    input("from").value = "2026-03-02T08:00";
    input("group").value = ODD;
    one("button", "Show").focus();
    await press("button", "Show");
    const query = new URLSearchParams(window.location.hash.split("?")[1]);
    expect(query.get("group")).toBe(ODD);
    expect(query.get("from")).toBe(new Date("2026-03-02T08:00").toISOString().replace(".000", ""));
    await eventually(() => expect(asked.at(-1)).toBe(`${PATH}?${query}`));
    await sees("General knowledge");
    expect(document.activeElement).toBe(one("button", "Show"));
  });

  it("shows what the address says, also after going back", async () => {
    await open(examOf({ groups: [ODD] }), `${EXAM}?group=${encodeURIComponent(ODD)}&to=2026-03-02T09:30:00Z`);
    await eventually(() => expect(input("group").value).toBe(ODD));
    expect(new Date(input("to").value)).toEqual(new Date("2026-03-02T09:30:00Z"));
    await go(EXAM);
    await eventually(() => expect([input("group").value, input("to").value]).toEqual(["", ""]));
  });

  it("does not ask for what cannot be", async () => {
    await open(examOf());
    await eventually(() => input("from"));
    input("from").value = "2026-03-02T10:00";
    input("to").value = "2026-03-02T09:00";
    await press("button", "Show");
    await sees("The first time has to be before the second.");
    expect(window.location.hash).toBe(EXAM);
  });

  it("keeps a group of the address that the exam does not have, so that it can be taken back", async () => {
    await open(examOf({ groups: ["Morning"] }), `${EXAM}?group=Gone`);
    await eventually(() => expect(input("group").value).toBe("Gone"));
    await press("form a", "Show all");
    await eventually(() => expect(input("group").value).toBe(""));
  });

  it("stays where the API refuses it", async () => {
    await open(new Failing(422, "from: this is no time."), `${EXAM}?from=yesterday`);
    await sees("from: this is no time.");
    expect(input("from").value).toBe("");
  });
});

describe("what is not known", () => {
  it("is said with its reason, and has no link", async () => {
    await open(
      examOf({ questions: [questionOf(1, UNKNOWN)], times: [], navigation: [], effort: { known: 0, below_090: 0 } }),
    );
    await sees("unknown: no key");
    await sees("unknown: fewer than 30 times");
    await sees("unknown: in no complete log");
    await sees("No answer was changed.");
    await sees("Effort is unknown");
    for (const title of [
      "Time of a session",
      "Time per question",
      "Very short times",
      "Difficulty",
      "Answer changes",
      "Paths",
    ]) {
      expect(linksOf(title), title).toEqual({});
    }
    expect(document.querySelector(".chart")).toBeNull();
    expect(document.body.textContent).not.toMatch(/NaN|null|undefined|Infinity/);
  });

  it("is said once for figures that lack for one reason", async () => {
    await open(
      examOf({ questions: [questionOf(1, { ...UNKNOWN, marks_reason: "no_spread", facility: 1, marked: 40 })] }),
    );
    await sees("unknown: all marks are alike");
    expect(one("td[colspan='2']", /all marks are alike/).dataset.name).toBe("Discrimination, efficiency");
  });

  it("has a reason even where the API knows one that the page does not", async () => {
    await open(examOf({ questions: [questionOf(1, { ...UNKNOWN, marks_reason: "a_new_one" })] }));
    await sees("unknown: a_new_one");
  });

  it("is no number of changes of a kind where there is no key", async () => {
    await open(examOf({ questions: [questionOf(1, { ...UNKNOWN, changed: 7 }), questionOf(2)] }));
    await sees("wrong\u00a0→ right");
    expect(one("td[colspan='4']").textContent).toBe("unknown: no key");
    await leave();
    await open(examOf({ questions: [questionOf(1, { ...UNKNOWN, changed: 7 })] }));
    await sees("kind unknown");
    expect(document.body.textContent).not.toContain("wrong\u00a0→ right");
  });

  it("is a kind of its own among the changes", async () => {
    const { wrong_to_right, right_to_wrong, wrong_to_wrong, right_to_right } = UNKNOWN as Required<typeof UNKNOWN>;
    const kinds = { wrong_to_right, right_to_wrong, wrong_to_wrong, right_to_right };
    await open(examOf({ questions: [questionOf(1, { ...kinds, changed: 7 })] }));
    await sees("kind unknown");
    expect(linksOf("Answer changes")).toEqual({ "7": behind(`question=${questionOf(1).question_id}&behind=changed`) });
  });
});

it("marks what few sessions make", async () => {
  await open(examOf({ questions: [questionOf(1, { times: 29, marked: 30 })] }));
  await sees("29few: noise");
  expect(document.querySelectorAll(".few")).toHaveLength(1);
});

describe("the states of the page", () => {
  it("is quiet about how fresh it is, but for sessions that are not in it", async () => {
    await open(examOf());
    await sees("As of");
    expect(document.querySelector(".fresh-due")).toBeNull();
    await leave();
    await open(examOf({ freshness: { as_of: "2026-03-02T17:31:04Z", due: 3 } }));
    await sees("3 sessions have newer events that are not worked out yet");
  });

  it("says that nothing has begun", async () => {
    const none = { coverage: { sessions: 0, complete: 0, reasons: {} } };
    await open(examOf(none));
    await sees("No session has begun yet.");
    await go(`${EXAM}?group=Evening`);
    await sees("No session is in this selection.");
  });

  it("is the same for an exam of somebody else and for none", async () => {
    await open(new Failing(404, "There is nothing here."));
    await sees("There is no such page, or it is not for you.");
  });

  it("can be asked again when it could not be reached", async () => {
    let isReached = false;
    await open(() => (isReached ? examOf() : new Failing(503)));
    await sees("The console cannot be reached");
    isReached = true;
    await press("button", "Try again");
    await sees("38 of 40");
  });

  it("keeps what it had when a later look fails, and says so", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    let isReached = true;
    await open(() => (isReached ? examOf() : new Failing(503)));
    await sees("38 of 40");
    isReached = false;
    await act(() => vi.advanceTimersByTimeAsync(30_000));
    await sees("the last look failed");
    expect(document.body.textContent).toContain("38 of 40");
    isReached = true;
    await press("button", "Look again");
    await eventually(() => expect(document.body.textContent).not.toContain("the last look failed"));
  });
});
