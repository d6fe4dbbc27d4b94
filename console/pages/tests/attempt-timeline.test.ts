import { describe, expect, it } from "vitest";
import type { TimelineLine } from "../src/api/types";
import { axisText, boundText, createClock, sinceText } from "../src/views/attempt/clock";
import { eventWords, type Telling } from "../src/views/attempt/event-words";
import { lineWords, noteWords } from "../src/views/attempt/fault-words";
import { groupByVisit, type Place } from "../src/views/attempt/groups";
import { annotate, type Note } from "../src/views/attempt/notes";
import { nameQuestions } from "../src/views/attempt/questions";
import { type KINDS, only } from "../src/views/attempt/shown";
import { stripOf, ticksOf } from "../src/views/attempt/strip";
import { followsFrom, headline } from "../src/views/attempt/verdict-words";
import {
  absence,
  at,
  attempt,
  deadLetter,
  drop,
  gap,
  longAttempt,
  page,
  question,
  questionId,
  SECOND_LOAD,
  service,
  tornAttempt,
  wholeAttempt,
} from "./attempts";

const SECOND = { stream_id: SECOND_LOAD };

function notesOf(lines: TimelineLine[]): (Note & { index: number })[] {
  return annotate(lines).flatMap(({ notes, index }) => notes.map((note) => ({ ...note, index })));
}

function places(lines: TimelineLine[]): string[] {
  const text = (place: Place) =>
    place.kind === "visit" ? `${place.questionId.slice(-2)}.${place.visit}${place.goesOn ? "+" : ""}` : place.kind;
  return groupByVisit(annotate(lines)).map(({ place, rows }) => `${text(place)}: ${rows.length}`);
}

describe("the groups of a timeline", () => {
  it("are the visits of questions, the overview and the end", () => {
    expect(places(wholeAttempt().lines)).toEqual([
      "beginning: 1",
      "01.1: 5",
      "02.1: 5",
      "01.2: 1",
      "overview: 1",
      "end: 1",
    ]);
  });

  it("keep every line, in the order of the API", () => {
    for (const { lines } of [wholeAttempt(), tornAttempt(), longAttempt(5)]) {
      const kept = groupByVisit(annotate(lines)).flatMap((group) => group.rows.map((row) => row.line));
      expect(kept).toEqual(lines);
    }
  });

  it("take the same question viewed again without a move for the same visit", () => {
    const [first, other] = [
      page(1, 1, "QUESTION_VIEWED", { pos: 1 }),
      page(3, 1, "QUESTION_VIEWED", { pos: 2 }, SECOND),
    ];
    const again = page(5, 2, "QUESTION_VIEWED", { pos: 1 });
    const move = page(7, 3, "NAVIGATE_JUMP", { from_pos: 1, to_pos: 1 });
    expect(places([first, again])).toEqual(["01.1: 2"]);
    expect(places([first, other, again])).toEqual(["01.1: 1", "02.1: 1", "01.1+: 1"]);
    expect(places([first, move, page(8, 4, "QUESTION_VIEWED", { pos: 1 })])).toEqual(["01.1: 2", "01.2: 1"]);
  });

  it("do not begin anew with what was there already", () => {
    const [overview, end] = [page(1, 1, "REVIEW_OPENED"), service(3, "SESSION_SUBMITTED")];
    expect(places([overview, page(2, 1, "REVIEW_OPENED", {}, SECOND), end, end])).toEqual(["overview: 2", "end: 2"]);
  });

  it("begin with what is missing where that comes first", () => {
    expect(places([gap(1, 2), page(1, 3, "QUESTION_VIEWED", { pos: 1 })])).toEqual(["beginning: 1", "01.1: 1"]);
    expect(places([])).toEqual([]);
  });
});

describe("what the lines show together", () => {
  const first = page(0, 1, "QUESTION_VIEWED", { pos: 1 });
  const reloaded = page(10, 1, "QUESTION_VIEWED", { pos: 1 }, SECOND);

  it("is another load, and not which kind of", () => {
    expect(notesOf([first, reloaded])).toEqual([{ kind: "load", load: 2, isBeside: false, index: 1 }]);
    expect(noteWords({ kind: "load", load: 2, isBeside: false }).meaning).toMatch(
      /A reload, or another tab.*do not say/,
    );
  });

  it("is a load beside another one only where that certainly goes on", () => {
    const goesOn = (more: Partial<TimelineLine>) =>
      notesOf([first, reloaded, page(11, 2, "PAUSE_BLUR", { state: "blur" }, more)])[0];
    expect(goesOn({ late_by_ms: 900 })).toMatchObject({ isBeside: true });
    expect(goesOn({ late_by_ms: 1100 })).toMatchObject({ isBeside: false });
    expect(goesOn({ late_by_ms: null })).toMatchObject({ isBeside: false });
  });

  it("stands before what the new load lacks", () => {
    const line = page(10, 3, "QUESTION_VIEWED", { pos: 1 }, SECOND);
    expect(notesOf([first, gap(1, 2, SECOND_LOAD), line])).toMatchObject([{ kind: "load", index: 1 }]);
  });

  it("is a clock that was set where the run is another one", () => {
    const back = page(10, 2, "PAUSE_BLUR", {}, { run: 2, client_ts: at(-62) });
    expect(notesOf([first, back])).toEqual([{ kind: "clock", load: 1, backByMs: 60_000, index: 1 }]);
    const ahead = page(10, 2, "PAUSE_BLUR", {}, { run: 2, client_ts: at(3600) });
    expect(notesOf([first, ahead])).toEqual([{ kind: "clock", load: 1, backByMs: null, index: 1 }]);
    expect(noteWords({ kind: "clock", load: 1, backByMs: 60_000 }).what).toContain("back, by 1 min or more");
  });

  it("is no clock that was set where an event has no time of the page, or another load begins", () => {
    const without = page(5, 2, "PAUSE_BLUR", {}, { run: 2, client_ts: null });
    expect(notesOf([first, without, page(10, 3, "PAUSE_BLUR", {}, { run: 3 })])).toEqual([]);
    expect(notesOf([first, { ...reloaded, run: 2 }])).toMatchObject([{ kind: "load" }]);
  });

  it("is a stretch that came late, whatever of other lanes stands in it", () => {
    const late = (seconds: number, seq: number) => page(seconds, seq, "PAUSE_BLUR", {}, { event_ts: at(400) });
    const lines = [
      first,
      late(10, 2),
      service(15, "ANSWER_SELECTED"),
      gap(3, 3),
      late(20, 4),
      page(410, 5, "PAUSE_BLUR"),
    ];
    expect(notesOf(lines)).toEqual([{ kind: "late", load: 1, events: 2, mostMs: 390_000, index: 1 }]);
    expect(notesOf([first, page(5, 2, "PAUSE_BLUR", {}, { event_ts: at(17) })])).toEqual([]);
  });

  it("is nothing in an attempt in which nothing of that happened", () => {
    expect(notesOf(wholeAttempt().lines)).toEqual([]);
  });

  it("is nothing that the API does not tell", () => {
    const { run: _, ...older } = page(10, 2, "PAUSE_BLUR", {}, { client_ts: at(-60) });
    expect(notesOf([first, older as TimelineLine])).toEqual([]);
  });
});

describe("what is shown of a kind", () => {
  const groups = groupByVisit(annotate(tornAttempt().lines));
  const kinds = (kind: (typeof KINDS)[number]) =>
    only(kind, groups).flatMap((group) => group.rows.map(({ line }) => line.event_type ?? line.kind));

  it("is only that, in its groups", () => {
    expect(kinds("all")).toHaveLength(tornAttempt().lines.length);
    expect(kinds("answers")).toEqual(["ANSWER_SELECTED"]);
    expect(kinds("absences")).toEqual(["PAUSE_BLUR", "PAUSE_BLUR", "PAUSE_BLUR"]);
    expect(kinds("faults")).toEqual(["gap", "NAVIGATE_NEXT", "PAUSE_BLUR", "ANSWER_SELECTED", "drop"]);
    expect(only("answers", groups)).toHaveLength(1);
  });

  it("has the notes of the log with the faults", () => {
    const notes = only("faults", groups).flatMap((group) =>
      group.rows.flatMap((row) => row.notes.map((note) => note.kind)),
    );
    expect(notes).toEqual(["late", "clock"]);
    expect(only("answers", groups).flatMap((group) => group.rows.flatMap((row) => row.notes))).toEqual([]);
  });
});

describe("an event in words", () => {
  const questions = [question(1), question(2)];
  const tell = (line: TimelineLine, more: Partial<Telling> = {}) =>
    eventWords(line, { names: nameQuestions(questions, []), absences: [], isOwn: false, ...more });

  it.each<[TimelineLine, string]>([
    [service(0, "SESSION_CREATED", { items: 8 }), "The attempt began with 8 questions."],
    [service(0, "SESSION_SUBMITTED", { answered: 1 }), "Handed in with 1 answer."],
    [service(0, "SESSION_EXPIRED", {}), "The time was up."],
    [page(0, 1, "REVIEW_OPENED", { marked: 2 }), "The overview was opened, with 2 marked."],
    [page(0, 1, "QUESTION_VIEWED", { pos: 2 }), "Question 2 came on the screen."],
    [
      page(0, 1, "NAVIGATE_NEXT", { from_pos: 1, to_pos: 2, dwell_ms: 12_480 }),
      "On to question 2. Question 1 had been on the screen for 12.5 s.",
    ],
    [page(0, 1, "NAVIGATE_PREV", { from_pos: 2, to_pos: 1 }), "Back to question 1."],
    [page(0, 1, "ANSWER_SELECTED", { pos: 1, choice: 0 }), "Answered question 1: option 1."],
    [
      service(0, "ANSWER_CHANGED", { pos: 1, choice: 2, prev_choice: 1 }),
      "Changed the answer to question 1: from option 2 to option 3.",
    ],
    [page(0, 1, "MARK_FOR_REVIEW_TOGGLED", { pos: 1, marked: false }), "Took the mark off question 1."],
  ])("%#", (line, words) => {
    expect(tell(line).what).toBe(words);
  });

  it.each<[string, Record<string, unknown>]>([
    ["ANSWER_SELECTED", { choice: "2" }],
    ["ANSWER_CHANGED", { choice: 2 }],
    ["NAVIGATE_NEXT", { to_pos: Number.NaN }],
    ["MARK_FOR_REVIEW_TOGGLED", { marked: "perhaps" }],
    ["PAUSE_BLUR", { state: "asleep" }],
    ["SOMETHING_ELSE", {}],
  ])("is as stored where the payload of %s is not as agreed", (type, detail) => {
    const payload = Object.keys(detail).length ? ` ${JSON.stringify(detail)}` : "";
    expect(tell(page(0, 1, type, detail)).what).toBe(`${type}${payload}`);
  });

  it("names a question by the place that the page told, and by its id where nothing names it", () => {
    const viewed = page(0, 1, "QUESTION_VIEWED", { pos: 7 });
    expect(tell(viewed, { names: nameQuestions([question(7, { position: null })], [viewed]) }).what).toContain(
      "Question 7",
    );
    expect(tell({ ...viewed, question_id: questionId(9) }).what).toBe("Question 0198c0de came on the screen.");
  });

  const blur = page(80, 1, "PAUSE_BLUR", { state: "blur" });
  const focus = page(92, 2, "PAUSE_BLUR", { state: "focus", away_ms: 12_000 });

  it("says of an absence how long it was, and that it does not say more", () => {
    const absences = [absence(80, 92)];
    expect(tell(blur, { absences }).what).toBe("The page lost the focus for 12 s.");
    expect(tell(blur, { absences }).meaning).toBe(
      "Another tab or window, a notification or a click outside the page. It does not say what the candidate did.",
    );
    expect(tell(blur, { absences, isOwn: true }).meaning).toMatch(/what you did\.$/);
    expect(tell(focus, { absences }).what).toBe("The page has the focus again, after 12 s.");
  });

  it.each([
    [absence(80, null), "The page lost the focus; no return is stored."],
    [absence(80, 92, { away_ms: null, reason: "not_measured" }), "for how long is not known: not measured."],
    [absence(80, null, { reason: "gap" }), "for how long is not known: a number of a stream is missing."],
  ])("says why an absence has no length: %#", (one, words) => {
    expect(tell(blur, { absences: [one] }).what).toContain(words);
  });

  it("tells one absence once", () => {
    const absences = [absence(80, 92)];
    expect(tell(page(85, 2, "PAUSE_BLUR", { state: "blur" }), { absences }).what).toContain("the same absence");
    expect(tell(page(85, 2, "PAUSE_BLUR", { state: "blur" }, SECOND), { absences }).what).toBe(
      "The page lost the focus.",
    );
  });

  it("says of a return after a reload that its loss is told elsewhere", () => {
    expect(tell(focus, { absences: [absence(null, 92)] }).what).toMatch(/this load of the page does not tell/);
  });

  it("says what happened in another tab meanwhile", () => {
    expect(tell(blur, { absences: [absence(80, 92, { in_another_tab: true })] }).meaning).toMatch(/another load/);
  });
});

describe("what is missing, in words", () => {
  const telling: Telling = { names: nameQuestions([question(1)], []), absences: [], isOwn: false };
  const tell = (line: TimelineLine) => lineWords(line, telling, eventWords);

  it("is a gap with its numbers", () => {
    expect(tell(gap(3, 5))).toMatchObject({
      what: "Numbers 3 to 5 are missing.",
      meaning: expect.stringMatching(/3 events/),
    });
    expect(tell(gap(3, 3))).toMatchObject({
      what: "Number 3 is missing.",
      meaning: expect.stringMatching(/1 event here/),
    });
  });

  it("is a dead letter with its reason and what became of it", () => {
    const letter = (reason: string, outcome: string | null) =>
      tell(deadLetter(reason, outcome, { event_type: "ANSWER_SELECTED", question_id: questionId(1) }));
    expect(letter("question_not_in_session", null).what).toBe(
      "An answer for question 1 was refused: it named a question that is not in the exam.",
    );
    expect(letter("undecodable", "inserted").meaning).toContain("It was stored later");
    expect(letter("undecodable", "unknown_session").meaning).toContain("refused again: there was no such session");
    expect(letter("a_new_reason", null).what).toContain("a_new_reason");
    expect(tell(deadLetter("undecodable", null)).what).toBe("A record was refused: it could not be read as an event.");
  });

  it("is what the page gave up", () => {
    expect(tell(drop(1, "queue_full")).what).toBe("The page gave up 1 event: more were waiting than the page keeps.");
  });
});

describe("the headline of a log", () => {
  const whole = { is_complete: false, stored: 1, lost: 0, dead_letters: 0, dropped: 0, sentences: [] };

  it.each([
    [{ ...whole, is_complete: true }, null, "This log is complete."],
    [{ ...whole, lost: 1 }, "gap", "This log is not complete: 1 number is missing."],
    [
      { ...whole, dead_letters: 2, dropped: 1 },
      "dead_letter",
      "This log is not complete: 2 events are dead letters, 1 event was given up by the page.",
    ],
    [whole, "no_end", "This log is not complete: it has no end so far."],
    [whole, "unnumbered", "This log is not complete: the page gives no numbers, so nobody can see what is missing."],
    [whole, "a new one", "This log is not complete."],
  ])("%#", (verdict, reason, words) => {
    expect(headline(verdict, reason)).toBe(words);
  });

  it("is followed by what it means, and that it is nobody's fault", () => {
    expect(followsFrom(whole, "gap", false)).toMatch(/may have been any event.*nothing about the candidate/);
    expect(followsFrom(whole, "gap", true)).toMatch(/nothing about you/);
    expect(followsFrom(whole, "no_end", true)).toBe(
      "It may still go on. So figures that want an end are not known yet, and say so.",
    );
  });
});

describe("times", () => {
  it("are since the beginning, and never ahead", () => {
    expect([0, 59_999, 60_000, 3_723_456, -500].map(sinceText)).toEqual([
      "+00:00.0",
      "+00:59.9",
      "+01:00.0",
      "+1:02:03.4",
      "−00:00.5",
    ]);
    expect(axisText(3_600_000)).toBe("+1:00:00");
  });

  it("have a bound that is never too short", () => {
    expect([0, 1, 3_199.2, 60_001, 3_600_001, 7_199_999].map(boundText)).toEqual([
      "",
      "up to 0.1 s earlier",
      "up to 3.2 s earlier",
      "up to 1 min 1 s earlier",
      "up to 1 h 1 min earlier",
      "up to 2 h 0 min earlier",
    ]);
    expect(boundText(null)).toBe("nobody can say how much earlier");
  });

  it("are those of the reader's zone, with the day where it is another", () => {
    const clock = createClock("2026-03-02T22:59:58.250Z", "Europe/Berlin");
    expect(clock.zone).toBe("Europe/Berlin, UTC+1");
    expect(clock.time("2026-03-02T22:59:59.990Z")).toBe("23:59:59.9");
    expect(clock.time("2026-03-02T23:00:00.000Z")).toBe("3 Mar 2026, 00:00:00.0");
    expect(clock.moment("2026-03-02T23:00:00Z")).toBe("3 Mar 2026, 00:00:00");
    expect(createClock(at(0), "UTC").zone).toBe("UTC");
  });
});

describe("the attempt at a glance", () => {
  const strip = (of = wholeAttempt()) =>
    stripOf(of, groupByVisit(annotate(of.lines)), nameQuestions(of.questions, of.lines));

  it("has each thing in its place", () => {
    const { lengthMs, questions, absences, service: served, faults } = strip() ?? expect.fail();
    expect(lengthMs).toBe(180_000);
    expect(questions.map(({ text }) => text)).toEqual(["1", "2", "1"]);
    expect(questions[0]).toMatchObject({ from: expect.closeTo(1.11, 2), to: expect.closeTo(27.83, 2) });
    expect(absences).toEqual([{ from: expect.closeTo(16.67, 2), to: expect.closeTo(23.33, 2), isMeasured: true }]);
    expect(served).toEqual([0, 8, 38.8, 50.2, 100]);
    expect(faults).toEqual([]);
  });

  it("puts what has no time before what follows it", () => {
    const { faults, absences } = strip(tornAttempt()) ?? expect.fail();
    expect(faults).toEqual([40, 93.4, 100]);
    expect(absences.every(({ from, to, isMeasured }) => from === to && !isMeasured)).toBe(true);
  });

  it("has at most as many marks as can be told apart", () => {
    const { page: told } = strip(longAttempt(200)) ?? expect.fail();
    expect(told.length).toBeLessThanOrEqual(501);
    expect(new Set(told).size).toBe(told.length);
  });

  it("is not there where no time passed", () => {
    expect(strip(attempt([]))).toBeNull();
    expect(strip(attempt([gap(1, 2)]))).toBeNull();
    expect(strip(attempt([page(3, 1, "REVIEW_OPENED")]))).toBeNull();
  });

  it("has an axis that a phone has room for", () => {
    for (const length of [900, 40_000, 2_700_000, 9e6, 9e8]) {
      const ticks = ticksOf(length);
      expect(ticks.length).toBeLessThanOrEqual(7);
      expect(ticks.every(({ at: place }) => place >= 0 && place <= 100)).toBe(true);
    }
    expect(ticksOf(2_700_000).map(({ text }) => text)).toEqual(["+00:00", "+10:00", "+20:00", "+30:00", "+40:00"]);
  });
});
